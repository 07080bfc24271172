/** Where an installed release lies. Everything is below `root`, so that a package builder or a test can install elsewhere. */
import path from "node:path";

/** What the install commands are told. */
export interface InstallPlaces {
  /** Put before every path: `/` but for package builders and tests. */
  root: string;
  /** Releases and the link to the one in use. */
  prefix: string;
  /** Where the actuator keeps its baselines, where that is not the usual place. */
  stateDir?: string;
  /** The same of what is gone after a boot. */
  runDir?: string;
}

const STATE_DIR = "/var/lib/kvm-governor";
const RUN_DIR = "/run/kvm-governor";

export const DEFAULT_PREFIX = "/opt/kvm-governor";

export const UNITS = ["actuator", "collector", "classifier", "guardian"].map(
  (name) => `kvm-governor-${name}.service`,
);

/** Configuration that is made where there is none; never written over, and kept by `uninstall`. */
export const CONFIGURATION = [
  "actuator.yaml",
  "classifier.yaml",
  "collector.yaml",
  "policy.yaml",
  "host.env",
  "control.env",
];

export class Layout {
  readonly root: string;
  readonly prefix: string;
  readonly #stateDir: string;
  readonly #runDir: string;

  constructor({ root, prefix, stateDir = STATE_DIR, runDir = RUN_DIR }: InstallPlaces) {
    this.root = path.resolve(root);
    this.prefix = prefix;
    this.#stateDir = stateDir;
    this.#runDir = runDir;
  }

  get home(): string {
    return this.#in(this.prefix);
  }
  get releases(): string {
    return path.join(this.home, "releases");
  }
  release(version: string): string {
    return path.join(this.releases, version);
  }
  /** A link, so that it changes in one step. */
  get current(): string {
    return path.join(this.home, "current");
  }
  get previous(): string {
    return path.join(this.home, "previous");
  }
  get command(): string {
    return this.#in("/usr/local/bin/kvmgov");
  }
  get manPage(): string {
    return this.#in("/usr/local/share/man/man1/kvmgov.1");
  }
  /** For units that come neither from a distribution nor from the administrator (systemd.unit(5)). */
  get units(): string {
    return this.#in("/usr/local/lib/systemd/system");
  }
  /** Where `systemctl enable` puts its links. */
  get enabledUnits(): string {
    return this.#in("/etc/systemd/system/multi-user.target.wants");
  }
  get configuration(): string {
    return this.#in("/etc/kvm-governor");
  }
  get state(): string {
    return this.#in(this.#stateDir);
  }
  get run(): string {
    return this.#in(this.#runDir);
  }
  /** Directories that are ours alone; one that a configuration names may hold anything. */
  get own(): string[] {
    return [this.configuration, this.#in(STATE_DIR), this.#in(RUN_DIR)];
  }

  #in(absolute: string): string {
    return path.join(this.root, absolute);
  }
}
