/** `kvmgov install`, `use` and `uninstall`: releases on a host without Docker. */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { hostPlaces, type HostPlaces } from "../host-places.ts";
import { DEFAULT_PREFIX, Layout } from "../release/layout.ts";
import { install, use, type Installed } from "../release/install.ts";
import { uninstall } from "../release/uninstall.ts";

export interface ReleaseFlags {
  prefix?: string;
  root?: string;
  json?: boolean;
}

/** Tree of the release that this command is from. */
const ownTree = fileURLToPath(new URL("../../../../", import.meta.url));

const say = (json: boolean | undefined, value: object, lines: string[]): void =>
  void process.stdout.write(`${json === true ? JSON.stringify(value) : lines.join("\n")}\n`);

export async function installCommand(flags: ReleaseFlags): Promise<number> {
  const installed = await install(layoutOf(flags), ownTree);
  say(flags.json, installed, [...told(installed), ...nextSteps(installed)]);
  return 0;
}

export async function useCommand(version: string, flags: ReleaseFlags): Promise<number> {
  const installed = { ...(await use(layoutOf(flags), version)), made: [] };
  say(flags.json, installed, [...told(installed), ...nextSteps(installed)]);
  return 0;
}

export async function uninstallCommand(flags: ReleaseFlags & { purge?: boolean }): Promise<number> {
  const layout = layoutOf(flags);
  const { libvirtRunDir } = placesOf(layout);
  const report = await uninstall(layout, { purge: flags.purge === true, libvirtRunDir });
  say(flags.json, report, [
    ...report.removed.map((file) => `removed ${file}`),
    ...report.kept.map(
      (file) => `kept    ${file} (${layout.own.includes(file) ? "--purge removes it" : "not made by us"})`,
    ),
    "Every guest is as it was. Run: systemctl daemon-reload",
  ]);
  return 0;
}

/** @throws {HostPlacesError} the actuator's configuration cannot be used: guests may be held elsewhere than one would look */
function layoutOf({ prefix = DEFAULT_PREFIX, root = "/" }: ReleaseFlags): Layout {
  const { stateDir, runDir } = placesOf(new Layout({ prefix, root }));
  return new Layout({ prefix, root, stateDir, runDir });
}

/** Below another root the directories of this machine's environment say nothing. */
function placesOf({ root, configuration }: Layout): HostPlaces {
  const { KVMGOV_LIBVIRT_RUN_DIR } = process.env;
  const env = root === "/" ? process.env : { KVMGOV_LIBVIRT_RUN_DIR };
  return hostPlaces(env, path.join(configuration, "actuator.yaml"));
}

function told({ version, from, made, removed }: Installed): string[] {
  return [
    from === undefined || from === version
      ? `kvm-governor ${version} is installed.`
      : `kvm-governor ${version} is in place of ${from}.`,
    ...made.map((name) => `made /etc/kvm-governor/${name}`),
    ...removed.map((old) => `removed release ${old}`),
  ];
}

function nextSteps({ from, version }: Installed): string[] {
  const isUpgrade = from !== undefined && from !== version;
  return [
    "",
    "Nothing was enabled or started. Next, as root:",
    "  systemctl daemon-reload",
    ...(isUpgrade
      ? ["  systemctl try-restart 'kvm-governor-*'   # guests go back to what they were, and are held again"]
      : [
          "  set the servers and passwords in /etc/kvm-governor/host.env (hosts) and control.env (classifier)",
          "  systemctl enable --now kvm-governor-collector kvm-governor-actuator   # on every host",
          "  systemctl enable --now kvm-governor-classifier                        # where the fleet is decided for",
        ]),
    ...(isUpgrade ? [`  kvmgov use ${from}   # the way back`] : []),
  ];
}
