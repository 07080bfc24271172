/** A host's page before any data. */
import { wordsHtml } from "./shell-words.ts";

export const hostBody = `<h1 id="title">Host</h1>
<p class="lead">Who runs on which CPU, and what each guest uses, wants and may have. Scientific guests have whole CPUs to themselves where their share holds even if every service takes all that it may.</p>
<dl id="facts" class="facts"></dl>
<section aria-labelledby="alarms-title" id="alarms-part"><h2 id="alarms-title">Alarms</h2><ul id="alarms" class="alarms"></ul></section>
<section aria-labelledby="map-title"><h2 id="map-title">CPUs</h2>
<p id="map-note" class="note"></p>
<ul class="key" aria-label="Key to the map"><li><span class="sign is-scientific" aria-hidden="true">◆</span> one scientific guest alone</li><li><span class="sign is-service" aria-hidden="true">■</span> shared by services</li><li><span class="sign is-isolated" aria-hidden="true">▨</span> isolated: not for guests</li><li><span class="sign is-offline" aria-hidden="true">×</span> offline</li><li>a thick frame is a core, its cells the threads of it</li></ul>
<div id="map" class="map"></div>
<details id="map-table-part"><summary>The map as a table</summary><div id="map-table" class="scroll" role="group" aria-label="CPUs as a table" tabindex="0"></div></details></section>
<section aria-labelledby="guests-title"><div class="bar"><h2 id="guests-title">Guests</h2><div id="guests-tools" class="tools"></div></div>
<div id="guests" class="scroll" role="group" aria-label="Table of guests" tabindex="0"></div></section>
${wordsHtml}`;
