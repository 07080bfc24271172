/** `/-/log-level`: shows the least level of what is logged, and sets it while the service runs, from this machine alone. */
import type { Express, Request } from "express";
import { logLevel } from "./common-config.ts";
import type { Logger } from "./log.ts";

/** 127.0.0.0/8 and ::1, also as an IPv4 address in IPv6. */
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;

export function addLogLevel(app: Express, log: Logger): void {
  app.get("/-/log-level", (_request, response) => {
    response.json({ level: log.level });
  });
  app.put("/-/log-level", (request, response) => {
    if (!isFromHere(request)) {
      response.status(403).json({ error: "the log level can be set from this machine alone" });
      return;
    }
    const wanted = logLevel.safeParse(request.query["level"]);
    if (!wanted.success) {
      const problem = `?level= must be one of ${logLevel.options.join(", ")}`;
      response.status(400).json({ error: problem });
      return;
    }
    const before = log.level;
    log.level = wanted.data;
    // At a level that both show: who turns a log down leaves a trace of it.
    if (before !== wanted.data)
      log[wanted.data === "silent" ? "fatal" : "warn"](
        { event: "log-level-set", from: before, to: wanted.data },
        `log level ${wanted.data}, before ${before}`,
      );
    response.json({ level: log.level });
  });
}

/** A proxy on this machine speaks for others: it says so in a header. */
function isFromHere({ socket, headers }: Request): boolean {
  if (headers["x-forwarded-for"] !== undefined || headers["forwarded"] !== undefined) return false;
  return LOOPBACK.test(socket.remoteAddress ?? "");
}
