/** The three services as processes of the supervisor. */
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import { nodeFlags } from "./node-flags.ts";
import type { ServiceName } from "./node-flags.ts";
import { beforeGuests } from "./priority.ts";
import type { BusAccess, StoreAccess } from "./servers.ts";

export type { ServiceName } from "./node-flags.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** Environment of a service: everything that we were given, with what this run adds. Secrets travel only here. */
export interface ServiceSettings {
  bus: BusAccess;
  store: StoreAccess;
  /** Where Node keeps compiled code between runs: less memory, and a faster start. Only we may write there. */
  compileCacheDir: string;
  /** KVMGOV_ variables by name, without the prefix. */
  common: Readonly<Record<string, string | undefined>>;
}

export function startService(name: ServiceName, settings: ServiceSettings, listen: string): Child {
  const given: Record<string, string | undefined> = {
    ...settings.common,
    NATS_URL: settings.bus.url,
    NATS_USER: settings.bus.user,
    NATS_PASSWORD: settings.bus.password,
    LISTEN: listen,
    ...(name === "classifier"
      ? { REDIS_URL: settings.store.url, REDIS_PASSWORD: settings.store.password }
      : {}),
  };
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_COMPILE_CACHE: settings.compileCacheDir };
  for (const [key, value] of Object.entries(given)) if (value !== undefined) env[`KVMGOV_${key}`] = value;
  const main = entryOf(name);
  const [command, ...args] = beforeGuests([process.execPath, ...nodeFlags(name), main]);
  return new Child(name, command, args, {
    env,
    cwd: root,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
}

/** In a checkout the service's own source, in a release its bundle. */
function entryOf(name: ServiceName): string {
  const source = path.join(root, "services", name, "src/main.ts");
  return existsSync(source) ? source : path.join(root, "lib", `${name}.js`);
}
