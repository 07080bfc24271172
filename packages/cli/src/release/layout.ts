/** Where an installed release lies. Everything is below `root`, so that a package builder or a test can install elsewhere. */
import path from "node:path";

/** What the install commands are told. */
export interface InstallPlaces {
  /** Put before every path: `/` but for package builders and tests. */
  root: string;
  /** Releases and the link to the one in use. */
  prefix: string;
}

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

  constructor({ root, prefix }: InstallPlaces) {
    this.root = path.resolve(root);
    this.prefix = prefix;
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
    return this.#in("/var/lib/kvm-governor");
  }
  get run(): string {
    return this.#in("/run/kvm-governor");
  }

  #in(absolute: string): string {
    return path.join(this.root, absolute);
  }
}
