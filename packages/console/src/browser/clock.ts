/** Times and lengths of time. Ages are by the classifier's clock: this machine's may be wrong. */

let offsetMs = 0;

/** @param nowMs the classifier's clock, just heard */
export function setClock(nowMs: number): void {
  offsetMs = nowMs - Date.now();
}

/** The classifier's clock. */
export function clock(): number {
  return Date.now() + offsetMs;
}

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** Local time to the second; with the day where that is not today. */
export function timeText(ms: number): string {
  const at = new Date(ms);
  const isToday = at.toDateString() === new Date(clock()).toDateString();
  return isToday ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`;
}

/** `now`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function lengthText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Coarser than the clock: a text that changes every second draws the eye to nothing. */
export function sinceText(ms: number): string {
  const seconds = Math.max(0, clock() - ms) / 1000;
  const rounded = seconds < 60 ? Math.ceil(seconds / 10) * 10 : seconds;
  return lengthText(rounded * 1000);
}
