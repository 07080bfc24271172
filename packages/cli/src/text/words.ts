/** How times and lengths are said to people; lists and settings: the words of policy. */
export {
  bandwidthText,
  cpusText,
  heldText,
  listName,
  ofVcpus,
  percent,
  weightText,
} from "@kvm-governor/policy";

/** `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function lengthOf(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Date and time to the second, in UTC whatever the zone of the machine: hosts of a fleet are in many. */
export function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")}Z`;
}
