/** Addresses of this host's metrics pages, by service: our own, the actuator's as it says itself, and what is configured. */
import { readPageMark } from "@kvm-governor/linux";

export interface PageUrlsOptions {
  /** Of our own page, as it is listened on. */
  collector: string;
  /** Where the actuator says its own. */
  runDir: string;
  /** As others reach them: these come first. */
  metricsUrls: Readonly<Record<string, string>>;
}

export class PageUrls {
  readonly #options: PageUrlsOptions;
  #read: string | undefined;

  constructor(options: PageUrlsOptions) {
    this.#options = options;
  }

  read(): Record<string, string> {
    const { collector, runDir, metricsUrls } = this.#options;
    this.#read = readPageMark(runDir);
    return { collector, ...(this.#read !== undefined && { actuator: this.#read }), ...metricsUrls };
  }

  /** Whether the fleet would hear of another address than what was read last. */
  isChanged(): boolean {
    const { runDir, metricsUrls } = this.#options;
    return metricsUrls["actuator"] === undefined && readPageMark(runDir) !== this.#read;
  }
}
