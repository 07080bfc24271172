/** Paths of the console. Ids are all that a path may hold. */
import { guestUuid, hostId } from "@kvm-governor/policy";

export type Route =
  | { kind: "page" | "events"; page: "fleet" }
  | { kind: "page" | "events"; page: "host"; host: string }
  | { kind: "page" | "events"; page: "guest"; host: string; uuid: string }
  | { kind: "asset"; name: string };

const HOST = /^\/host\/([^/]+)(\/events)?$/;
const GUEST = /^\/host\/([^/]+)\/guest\/([^/]+?)(\/events)?$/;

/** @param path below `/console`, with a slash at the beginning */
export function routeOf(path: string): Route | undefined {
  if (path === "/") return { kind: "page", page: "fleet" };
  if (path === "/events") return { kind: "events", page: "fleet" };
  if (path.startsWith("/assets/")) return { kind: "asset", name: path.slice("/assets/".length) };
  const [, host, hostEvents] = HOST.exec(path) ?? [];
  if (host !== undefined && hostId.safeParse(host).success)
    return { kind: hostEvents === undefined ? "page" : "events", page: "host", host };
  const [, ofHost, uuid, guestEvents] = GUEST.exec(path) ?? [];
  if (ofHost === undefined || uuid === undefined) return undefined;
  if (!hostId.safeParse(ofHost).success || !guestUuid.safeParse(uuid).success) return undefined;
  return { kind: guestEvents === undefined ? "page" : "events", page: "guest", host: ofHost, uuid };
}
