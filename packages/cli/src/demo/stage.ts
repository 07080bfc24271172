/** The demo's own libvirt with its guests, and the directory that everything of the demo is in. */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startLibvirt } from "@kvm-governor/lab";
import type { Guest, Libvirt } from "@kvm-governor/lab";
import type { Part } from "./cast.ts";

export interface Actor extends Part {
  guest: Guest;
}

export class Stage {
  /** Removed at the end, by the lab's keeper, even when the demo is killed. */
  readonly dir: string;
  readonly libvirt: Libvirt;
  readonly actors: readonly Actor[];

  private constructor(dir: string, libvirt: Libvirt, actors: readonly Actor[]) {
    this.dir = dir;
    this.libvirt = libvirt;
    this.actors = actors;
  }

  /** @throws {LabError} {ToolboxError} nothing stays behind */
  static async set(parts: readonly Part[], log: (line: string) => void): Promise<Stage> {
    const dir = await mkdtemp(path.join(tmpdir(), "kvmgov-demo-"));
    let libvirt: Libvirt | undefined;
    try {
      // The servers run as nobody and have to get to their own directories below.
      await chmod(dir, 0o711);
      libvirt = await startLibvirt({ dir, log });
      const actors: Actor[] = [];
      for (const part of parts) actors.push({ ...part, guest: await startGuest(libvirt, part) });
      await mkdir(path.join(dir, "governor"), { mode: 0o755 });
      return new Stage(dir, libvirt, actors);
    } catch (error) {
      await libvirt?.stop();
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  get scientific(): Actor {
    const found = this.actors.find((actor) => actor.role === "scientific");
    if (found === undefined) throw new Error("nobody plays the scientific guest");
    return found;
  }

  /** Where a governor keeps state and locks. */
  governorDirs(name: string): { stateDir: string; runDir: string } {
    const dir = path.join(this.dir, "governor", name);
    return { stateDir: path.join(dir, "state"), runDir: path.join(dir, "run") };
  }

  async clear(): Promise<void> {
    await this.libvirt.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}

function startGuest(libvirt: Libvirt, part: Part): Promise<Guest> {
  return libvirt.defineAndStart({
    name: part.name,
    load: { vcpus: part.vcpus },
    // Only the promise is declared. What the others are has to be found out.
    ...(part.slaCores === undefined ? {} : { policy: { class: "service", slaCores: part.slaCores } }),
  });
}
