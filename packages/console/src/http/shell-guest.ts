/** A guest's page before any data. */
import { wordsHtml } from "./shell-words.ts";

export const guestBody = `<h1 id="title">Guest</h1>
<p class="lead">Why this guest is in its list, how it is held, and how that came about. Where it wants <em>alpha</em> or more of its vCPUs for more than <em>beta</em> periods it becomes scientific; where it wants less than <em>alphaDown</em> for as long, a service again.</p>
<dl id="facts" class="facts"></dl>
<section aria-labelledby="why-title"><h2 id="why-title">Why</h2><div id="why" class="why"></div></section>
<section aria-labelledby="plots-title"><div class="bar"><h2 id="plots-title">Over time</h2><div id="plots-tools" class="tools"></div></div>
<p id="plots-note" class="note">Shaded and marked ◆: in LIST_sc (scientific). Not shaded: in LIST_se (service).</p>
<div id="plots" class="plots"></div>
<details id="points-part"><summary>The plots as a table</summary><div id="points" class="scroll tall" role="group" aria-label="Values over time as a table" tabindex="0"></div></details></section>
<section aria-labelledby="decisions-title"><h2 id="decisions-title">Decisions</h2><p class="note">The newest first. The last 20 moves and the last 20 changes of how it is held, as far as this classifier made them.</p><ol id="decisions" class="decisions"></ol></section>
<section aria-labelledby="vcpus-title"><h2 id="vcpus-title">vCPUs, last period</h2><div id="vcpus" class="scroll" role="group" aria-label="Table of vCPUs" tabindex="0"></div></section>
<section aria-labelledby="writes-title"><h2 id="writes-title">Writes to the kernel</h2><p class="note" id="writes-note"></p><div id="writes" class="scroll tall" role="group" aria-label="Table of writes" tabindex="0"></div></section>
${wordsHtml}`;
