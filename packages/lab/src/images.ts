/** Guest images: ROMs that make a load of a known kind. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Program, run } from "./process.ts";

/** What a guest does. All loads are steered at run time by LoadControl. */
export interface GuestLoad {
  /** Halted for ever, and deaf to LoadControl: nothing else of the load counts. */
  isQuiet?: boolean;
  /** 1..4. All vCPUs work in slices and meet at a barrier after each. */
  vcpus?: number;
  /** Mean load of each vCPU at start, in percent. Default 0: halted. */
  percent?: number;
  /** Random bursts and gaps, or (default) a fixed cycle. Full load has no gaps either way. */
  bursts?: boolean;
  /** Length of a fixed cycle, or mean length of a burst, ms (steps of 10). Default 200. */
  cycleMs?: number;
  /** Start value of the random bursts. */
  seed?: number;
  /**
   * How vCPUs wait at the barrier. Default `spin`, as MPI and OpenMP do: the guest looks fully busy even while one
   * of its vCPUs is starved. `halt`: it looks idle then, and each round costs wake-ups.
   */
  barrier?: "spin" | "halt";
  /** CPU time of a slice between two barriers, us. Default 500. */
  sliceUs?: number;
}

/** A desktop: light and regular, 15 % in a cycle of 200 ms. */
export const PC: GuestLoad = { percent: 15 };
/** A web server: bursts and gaps of random length, 40 % in the mean. */
export const WEB: GuestLoad = { percent: 40, bursts: true, cycleMs: 150, seed: 2014 };
/** Does nothing, ever: `cli; hlt`. */
export const QUIET: GuestLoad = { isQuiet: true };
/** A solver: two vCPUs that compute in step, halted until it gets work. */
export const SCIENTIFIC: GuestLoad = { vcpus: 2 };

const SOURCE = fileURLToPath(new URL("guests/load.asm", import.meta.url));
const QUIET_SOURCE = fileURLToPath(new URL("guests/quiet.asm", import.meta.url));
const TICK_MS = 10;

/** Assembles the image of a load into `file`. Throws LabError with nasm's message. */
export async function buildImage(nasm: Program, load: GuestLoad, file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  if (load.isQuiet) return void (await run(nasm, ["-f", "bin", "-o", file, QUIET_SOURCE]));
  const values = {
    NCPU: load.vcpus ?? 1,
    LOAD: load.percent ?? 0,
    STEADY: load.bursts ? 0 : 1,
    TICKS: Math.max(1, Math.round((load.cycleMs ?? 200) / TICK_MS)),
    SEED: (load.seed ?? 1) >>> 0,
    SLICE_US: load.sliceUs ?? 500,
    HALT_AT_BARRIER: load.barrier === "halt" ? 1 : 0,
  };
  const defines = Object.entries(values).map(([name, value]) => `-D${name}=${value}`);
  await run(nasm, ["-f", "bin", ...defines, "-o", file, SOURCE]);
}
