/** Turns the services' log events into plain lines for people. */

/** One JSON line of a service's log, as far as it is of interest here. */
export interface LogEvent {
  service: string;
  level: string;
  event?: string;
  msg: string;
  time: string;
  [field: string]: unknown;
}

/** Events that are told; all others only when something is wrong. */
const told = new Set([
  "guest-found",
  "guest-gone",
  "guest-restarted",
  "guest-unreadable",
  "guest-exempt",
  "guest-moved",
  "sla-oversubscribed",
  "quota-changed",
  "weight-changed",
  "cpus-changed",
  "drift",
  "restored",
  "dead-mans-switch",
  "plan-refused",
  "guest-carried-over",
  "host-renamed",
  "would-write",
  "taking-back",
  "reloaded",
  "reload-refused",
  "nats-away",
  "nats-up",
  "redis-away",
  "redis-up",
]);

/** Reads one line of a service. Text that is no JSON (a crash of the runtime itself) is an error line. */
export function readLogLine(service: string, line: string): LogEvent {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && "msg" in value) {
      return { service, level: "info", time: new Date().toISOString(), ...value } as LogEvent;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { service, level: "error", msg: line, time: new Date().toISOString() };
}

/** The line for an event, or undefined where it is of no interest. Control characters of names are made visible. */
export function narrate(event: LogEvent): string | undefined {
  const isTold = event.event !== undefined && told.has(event.event);
  const isWrong = event.level === "warn" || event.level === "error" || event.level === "fatal";
  if (!isTold && !isWrong) return undefined;
  const at = new Date(event.time);
  const clock = Number.isNaN(at.getTime()) ? "--:--:--Z" : `${at.toISOString().slice(11, 19)}Z`;
  const mark = isWrong ? "!" : " ";
  return `${clock} ${mark} ${event.service.padEnd(10)} ${visible(event.msg)}`;
}

/** A guest's name may hold anything, terminal escapes included: control characters are shown as \\uXXXX. */
export function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (char) =>
    char === "\n" ? "\\n" : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
