/** The words that every page explains: no manual is needed to read it. */
const WORDS: readonly (readonly [string, string])[] = [
  [
    "service",
    "a guest in LIST_se: it gets what its SLA promises, at once, and ranks first. Every guest begins here.",
  ],
  [
    "scientific",
    "a guest in LIST_sc: it computes for long and gets everything that is idle, on CPUs of its own where that fits.",
  ],
  ["exempt", "a guest that is left alone: declared so, or of a kind that is (dedicated, real-time)."],
  ["used", "part of the time that its vCPUs ran."],
  [
    "waited",
    "part of the time that its vCPUs were ready to run and did not get a CPU, or were held by a quota.",
  ],
  ["wanted", "what it would have used: what it ran, and all of a vCPU that ran or waited all the time."],
  [
    "alpha, alphaDown, beta",
    "a service that wants alpha or more of its vCPUs crosses, a scientific guest that wants less than alphaDown; more than beta crossings move it to the other list.",
  ],
  ["may have", "the CPU that a guest may use now, in cores (1.5 is one and a half CPUs)."],
  ["plan", "what the actuator of a host is told; its number grows with every change."],
];

export const wordsHtml = `<details class="words"><summary>What the words mean</summary><dl>${WORDS.map(
  ([word, meaning]) => `<div><dt>${word}</dt><dd>${meaning}</dd></div>`,
).join("")}</dl></details>`;

/** Classes by colour, sign and word: no colour stands alone. */
export const classKeyHtml = `<ul class="key" aria-label="Key"><li><span class="sign is-service" aria-hidden="true">■</span> service</li><li><span class="sign is-scientific" aria-hidden="true">◆</span> scientific</li><li><span class="sign is-exempt" aria-hidden="true">●</span> exempt</li><li><span class="sign is-host" aria-hidden="true">▬</span> the host itself</li><li><span class="sign is-idle" aria-hidden="true">□</span> idle</li></ul>`;
