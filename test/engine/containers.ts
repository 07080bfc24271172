/** Containers of a project as the engine and the kernel have them. */
import { readFileSync } from "node:fs";
import type { DockerEngine } from "./engine.ts";

/** Of `docker inspect`, what tests ask for. */
export interface Container {
  Id: string;
  RestartCount: number;
  State: { Status: string; Pid: number; Health?: { Status: string; Log: { Output: string }[] } };
  HostConfig: { ReadonlyRootfs: boolean; Privileged: boolean; SecurityOpt: string[] };
  Config: { Labels: Record<string, string> };
}

/** All containers that docker-compose made, by service. */
export async function containersOf(engine: DockerEngine): Promise<Map<string, Container>> {
  const ids = (await engine.docker(["ps", "--all", "--quiet", "--no-trunc"])).split("\n").filter(Boolean);
  if (ids.length === 0) return new Map();
  const found = JSON.parse(await engine.docker(["inspect", ...ids])) as Container[];
  return new Map(found.map((each) => [each.Config.Labels["com.docker.compose.service"] ?? each.Id, each]));
}

/** Bits of linux/capability.h. */
const CAPABILITIES: readonly (readonly [string, number])[] = [
  ["NET_BIND_SERVICE", 10],
  ["SYS_PTRACE", 19],
  ["SYS_ADMIN", 21],
  ["SYS_NICE", 23],
  ["PERFMON", 38],
];

export interface Rights {
  uid: number;
  /** What the process may do at most (its bounding set): names, and numbers where there is none here. */
  capabilities: string[];
  noNewPrivileges: boolean;
}

/** What the kernel grants a container's first process. */
export function rightsOf({ State: { Pid } }: Container): Rights {
  const status = readFileSync(`/proc/${Pid}/status`, "utf8");
  const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "";
  const bounding = BigInt(`0x${field("CapBnd")}`);
  const bits = Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (bounding >> BigInt(bit)) & 1n);
  return {
    uid: Number(field("Uid")),
    capabilities: bits.map((bit) => CAPABILITIES.find(([, known]) => known === bit)?.[0] ?? String(bit)),
    noNewPrivileges: field("NoNewPrivs") === "1",
  };
}
