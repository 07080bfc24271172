/** A release on a host under its own systemd: the archive as a user gets it, installed, configured and run as its guide says. */
import type { UnitHost } from "./case-host.ts";

export const ACTUATOR = "kvm-governor-actuator";
export const COLLECTOR = "kvm-governor-collector";
/** A version before that of the archive. */
export const PREVIOUS = "0.0.1";

const UNPACKED = "/root/kvmgov-release";
const CONFIGURATION = "/etc/kvm-governor";
const OVERRIDES = "/run/systemd/system";
const LIMIT_MS = 600_000;
/** `WatchdogSec=`, `TimeoutStartSec=` (systemd's own) and `TimeoutStopSec=` of the actuator's unit, in seconds. */
const ACTUATOR_S = { Watchdog: 10, TimeoutStart: 90, TimeoutStop: 40 };

export type Release = "this" | "previous";

export class InstalledRelease {
  readonly #host: UnitHost;
  /** Of the archive. */
  readonly version: string;
  #stretch = 1;

  private constructor(host: UnitHost, version: string) {
    this.#host = host;
    this.version = version;
  }

  /** Unpacks the archive, and beside it a release before it: the same programs under another version. Installs neither. */
  static async unpack(host: UnitHost): Promise<InstalledRelease> {
    const [own, former] = [`${UNPACKED}/this`, `${UNPACKED}/previous`];
    await host.sh(
      `set -e; rm -rf ${UNPACKED}; mkdir -p ${own}; tar -xzf ${host.archive} -C ${own} --strip-components=1
       cp -al ${own} ${former}; cd ${former}
       sed 's/"version": "[^"]*"/"version": "${PREVIOUS}"/' ${own}/package.json >new; mv -f new package.json
       sum=$(sha256sum package.json | cut -d' ' -f1)
       sed "s/^[0-9a-f]*  package.json$/$sum  package.json/" ${own}/SHA256SUMS >new; mv -f new SHA256SUMS`,
      { timeoutMs: LIMIT_MS },
    );
    const { version } = JSON.parse(await host.sh(`cat ${own}/package.json`)) as { version: string };
    return new InstalledRelease(host, version);
  }

  /** Runs the archive's own `kvmgov install`, and has systemd read the units. */
  async install(which: Release): Promise<void> {
    await this.run(`${UNPACKED}/${which}/bin/kvmgov install`);
    await this.sh("systemctl daemon-reload");
  }

  /** What the actuator's unit waits for its watchdog, in milliseconds. */
  get watchdogMs(): number {
    return 1000 * ACTUATOR_S.Watchdog * this.#stretch;
  }

  /**
   * Makes the limits of the actuator's unit longer on a host that is slow just now: as released they are for machines. On a quiet one they stay
   * as they are.
   */
  async stretch(): Promise<void> {
    this.#stretch = this.#host.slowness;
    const lines = Object.entries(ACTUATOR_S).map(([key, s]) => `${key}Sec=${Math.ceil(s * this.#stretch)}\n`);
    const dir = `${OVERRIDES}/${ACTUATOR}.service.d`;
    await this.sh(`mkdir -p ${dir}`);
    await this.#host.put(`${dir}/10-slow.conf`, this.#stretch === 1 ? "" : `[Service]\n${lines.join("")}`);
    await this.sh("systemctl daemon-reload");
  }

  /** Writes the settings of the host's services, as the guide says. */
  async configure(settings: Readonly<Record<string, string>>): Promise<void> {
    const { environment, unitEnvironment } = this.#host;
    const all = Object.entries({ ...settings, ...environment, ...unitEnvironment });
    const lines = all.map(([key, value]) => `${key}=${value}\n`);
    await this.#host.put(`${CONFIGURATION}/host.env`, lines.join(""));
  }

  /** Runs a command line that may start a Node. @returns what it printed */
  run(command: string): Promise<string> {
    const variables = Object.entries(this.#host.environment).map(([key, value]) => `${key}=${value} `);
    return this.sh(variables.join("") + command);
  }

  sh(command: string): Promise<string> {
    return this.#host.sh(command, { timeoutMs: LIMIT_MS });
  }

  /** What systemd says of a unit, see systemctl(1). */
  async show(unit: string, ...properties: string[]): Promise<Record<string, string>> {
    const text = await this.sh(`systemctl show --property=${properties.join(",")} ${unit}`);
    return Object.fromEntries(
      text
        .trim()
        .split("\n")
        .map((line) => line.split(/=(.*)/s).slice(0, 2)),
    ) as Record<string, string>;
  }

  /** Overrides settings of a unit as an administrator does, until {@link asReleased}. */
  async override(unit: string, text: string): Promise<void> {
    const dir = `${OVERRIDES}/${unit}.service.d`;
    await this.sh(`mkdir -p ${dir}`);
    await this.#host.put(`${dir}/50-case.conf`, text);
    await this.sh("systemctl daemon-reload");
  }

  /** Units are what the release says again. */
  async asReleased(): Promise<void> {
    await this.sh(`rm -f ${OVERRIDES}/kvm-governor-*.service.d/50-case.conf; systemctl daemon-reload`);
  }

  /** Nothing of what the cases set is left; for after an uninstall. */
  async forget(): Promise<void> {
    await this.sh(
      `rm -rf ${OVERRIDES}/kvm-governor-*.service.d; systemctl daemon-reload; systemctl reset-failed`,
    );
  }

  /** The end of a unit's log, for errors. */
  log(unit: string): Promise<string> {
    return this.sh(`journalctl --unit=${unit} --output=cat --lines=30 --no-pager`);
  }
}
