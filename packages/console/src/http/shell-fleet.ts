/** The fleet's page before any data. */
import { classKeyHtml, wordsHtml } from "./shell-words.ts";

export const fleetBody = `<h1>Fleet</h1>
<p class="lead">All hosts of the fleet, whichever classifier works them off. Long computations (scientific) get what services leave idle; a host with something wrong stands first.</p>
<dl id="facts" class="facts"></dl>
<section aria-labelledby="alarms-title" id="alarms-part"><h2 id="alarms-title">Alarms</h2><ul id="alarms" class="alarms"></ul></section>
<section aria-labelledby="hosts-title"><div class="bar"><h2 id="hosts-title">Hosts</h2><div id="hosts-tools" class="tools"></div></div>
${classKeyHtml}
<div id="hosts" class="scroll" role="group" aria-label="Table of hosts" tabindex="0"></div></section>
${wordsHtml}`;
