/** `kvmgov up`: all three services on this host, until Ctrl-C; then everything is taken back. */
import { createServer } from "node:net";
import { Governor } from "../supervisor/governor.ts";
import type { GovernorOptions } from "../supervisor/governor.ts";
import { defaultPlaces } from "../supervisor/places.ts";
import type { ServiceName } from "../supervisor/services.ts";
import { givenSettings, type SettingsFlags } from "../supervisor/settings.ts";
import { Teller } from "../supervisor/teller.ts";

export interface UpFlags extends SettingsFlags {
  dryRun?: boolean;
  json?: boolean;
}

/** How long to look for guests before saying that there are none, in milliseconds. */
const LOOK_FOR_GUESTS_MS = 3000;

const ports: Record<ServiceName, number> = { collector: 9471, classifier: 9472, actuator: 9473 };

export async function up(flags: UpFlags): Promise<number> {
  const isRoot = process.getuid?.() === 0;
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  const teller = new Teller(flags.json === true, write, () => new Date());
  const governor = await Governor.start(await options(flags, isRoot, (line) => teller.say("starting", line)));
  const guests = new Set<string>();
  governor.on("event", (event) => {
    if (event.event === "guest-found") guests.add(String(event["uuid"]));
    if (event.event === "guest-gone") guests.delete(String(event["uuid"]));
    teller.event(event);
  });
  if (!isRoot) {
    const why = "Not root: nothing is written, the actuator only shows what it would write (dry run).";
    teller.say("dry-run", why);
  }
  const ended = waitForEnd(governor);
  process.on("SIGHUP", () => governor.reload());
  let isStopping = false;
  void announce(governor, teller).then(() => {
    if (guests.size > 0 || isStopping) return;
    teller.say(
      "no-guests",
      "No KVM guests on this host yet; waiting for some. To see it at work: npm run demo",
    );
  });

  const failure = await ended;
  isStopping = true;
  const why = failure ?? "guests go back to what they were …";
  teller.say("stopping", `Stopping: ${why}`, { failure: failure ?? null });
  const { restored } = await governor.stop();
  const outcome = restored
    ? "Stopped. Every guest is as it was before."
    : "Stopped, but NOT every guest is as it was: kvmgov restore";
  teller.say("stopped", outcome, { restored });
  return failure === undefined && restored ? 0 : 1;
}

/** Prints the addresses once all services listen; waits a little longer for guests to be found. */
async function announce(governor: Governor, teller: Teller): Promise<void> {
  while (governor.urls.size < 3) await new Promise((resolve) => setTimeout(resolve, 50));
  const urls = [...governor.urls].toSorted(([a], [b]) => a.localeCompare(b));
  const lines = [
    "",
    "kvm-governor is up. Ctrl-C stops it and takes everything back.",
    ...urls.map(([name, url]) => `  ${name.padEnd(10)} ${url}/metrics`),
    `  console    ${governor.urls.get("classifier")}/console/`,
    `  lists      ${governor.urls.get("classifier")}/api/v1/hosts`,
    "",
  ];
  teller.say("up", lines, { urls: Object.fromEntries(urls) });
  await new Promise((resolve) => setTimeout(resolve, LOOK_FOR_GUESTS_MS));
}

/** Resolves with undefined when told to stop, or with why it cannot go on. */
function waitForEnd(governor: Governor): Promise<string | undefined> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve(undefined));
    process.once("SIGTERM", () => resolve(undefined));
    governor.once("failed", (reason) => resolve(reason));
  });
}

async function options(
  flags: UpFlags,
  isRoot: boolean,
  log: (line: string) => void,
): Promise<GovernorOptions> {
  const { env } = process;
  const natsUrl = env["KVMGOV_NATS_URL"];
  const redisUrl = env["KVMGOV_REDIS_URL"];
  const [natsUser, natsPassword] = [env["KVMGOV_NATS_USER"], env["KVMGOV_NATS_PASSWORD"]];
  const redisPassword = env["KVMGOV_REDIS_PASSWORD"];
  const { variables, planTtlMs } = givenSettings(flags, env);
  return {
    ...defaultPlaces(env, isRoot),
    ...(natsUrl === undefined
      ? {}
      : { bus: { url: natsUrl, ...defined({ user: natsUser, password: natsPassword }) } }),
    ...(redisUrl === undefined ? {} : { store: { url: redisUrl, ...defined({ password: redisPassword }) } }),
    listen: {
      collector: await listenAt(ports.collector, log),
      classifier: await listenAt(ports.classifier, log),
      actuator: await listenAt(ports.actuator, log),
    },
    libvirtRunDir: env["KVMGOV_LIBVIRT_RUN_DIR"] ?? "/run/libvirt/qemu",
    planTtlMs,
    settings: { ...variables, DRY_RUN: flags.dryRun === true || !isRoot ? "true" : undefined },
    log,
  };
}

function defined<T extends Record<string, string | undefined>>(values: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string;
  };
}

/** The usual port, or any free one where something else has it. */
async function listenAt(port: number, log: (line: string) => void): Promise<string> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
  if (!free) log(`Port ${port} is taken: using another one.`);
  return `127.0.0.1:${free ? port : 0}`;
}
