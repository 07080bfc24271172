/**
 * The guests of a host's last sample, as one array of figures that is written over at each tick, and beside it what hardly ever
 * changes. As objects they would be a third of what a host takes in memory and most of what a tick leaves to be collected;
 * they are made when somebody looks.
 */
import type { GuestSample, VcpuSample } from "@kvm-governor/policy";

/** What is the same from sample to sample, mostly. */
interface Outline {
  fixed: Omit<GuestSample, "vcpus" | "otherRun">;
  vcpus: number;
  /** Undefined: numbered from 0, none with pins of its own. */
  places: readonly Place[] | undefined;
}

type Place = Pick<VcpuSample, "index" | "allowedCpus">;

/** Of a vCPU, in this order; NaN where absent. Before those of its vCPUs each guest has one: `otherRun`. */
const VCPU_FIGURES = 6;

export class KeptSamples {
  #outlines: Outline[] = [];
  #figures = new Float64Array(0);

  /** Keeps these guests in place of those before. */
  take(guests: readonly GuestSample[]): void {
    let length = 0;
    for (const { vcpus } of guests) length += 1 + VCPU_FIGURES * vcpus.length;
    if (this.#figures.length !== length) this.#figures = new Float64Array(length);
    if (this.#outlines.length > guests.length) this.#outlines.length = guests.length;
    let at = 0;
    for (const [place, guest] of guests.entries()) {
      const known = this.#outlines[place];
      if (known === undefined || !isOutlineOf(known, guest)) this.#outlines[place] = outlineOf(guest);
      at = this.#takeFigures(guest, at);
    }
  }

  /** By UUID, as they were taken; of two with one UUID the later. */
  guests(): ReadonlyMap<string, GuestSample> {
    const guests = new Map<string, GuestSample>();
    let at = 0;
    for (const outline of this.#outlines) {
      guests.set(outline.fixed.uuid, this.#guest(outline, at));
      at += 1 + VCPU_FIGURES * outline.vcpus;
    }
    return guests;
  }

  /** @returns where the next guest's figures go */
  #takeFigures({ otherRun, vcpus }: GuestSample, from: number): number {
    const figures = this.#figures;
    let at = from;
    figures[at++] = otherRun;
    for (const vcpu of vcpus) {
      figures[at++] = vcpu.run;
      figures[at++] = vcpu.delay;
      figures[at++] = vcpu.switches ?? NaN;
      figures[at++] = vcpu.involuntaryPart ?? NaN;
      figures[at++] = vcpu.migrations ?? NaN;
      figures[at++] = vcpu.throttled ?? NaN;
    }
    return at;
  }

  #guest({ fixed, vcpus, places }: Outline, from: number): GuestSample {
    const list = Array.from({ length: vcpus }, (_, place) =>
      this.#vcpu(places?.[place] ?? { index: place }, from + 1 + VCPU_FIGURES * place),
    );
    return { ...fixed, vcpus: list, otherRun: this.#figures[from] ?? 0 };
  }

  #vcpu({ index, allowedCpus }: Place, at: number): VcpuSample {
    const [run = 0, delay = 0, ...rest] = this.#figures.subarray(at, at + VCPU_FIGURES);
    const [switches = NaN, involuntaryPart = NaN, migrations = NaN, throttled = NaN] = rest;
    return {
      index,
      run,
      delay,
      ...(!Number.isNaN(switches) && { switches }),
      ...(!Number.isNaN(involuntaryPart) && { involuntaryPart }),
      ...(!Number.isNaN(migrations) && { migrations }),
      ...(!Number.isNaN(throttled) && { throttled }),
      ...(allowedCpus !== undefined && { allowedCpus }),
    };
  }
}

function outlineOf(guest: GuestSample): Outline {
  const { vcpus, otherRun: _, ...fixed } = guest;
  const isPlain = vcpus.every(({ index, allowedCpus }, at) => index === at && allowedCpus === undefined);
  const places = vcpus.map(({ index, allowedCpus }) => ({
    index,
    ...(allowedCpus !== undefined && { allowedCpus }),
  }));
  return { fixed, vcpus: vcpus.length, places: isPlain ? undefined : places };
}

function isOutlineOf({ fixed, vcpus, places }: Outline, guest: GuestSample): boolean {
  return (
    fixed.uuid === guest.uuid &&
    fixed.name === guest.name &&
    fixed.pid === guest.pid &&
    fixed.startTime === guest.startTime &&
    fixed.state === guest.state &&
    fixed.exemptReason === guest.exemptReason &&
    fixed.incomplete === guest.incomplete &&
    vcpus === guest.vcpus.length &&
    isSameDeclaration(fixed.declared, guest.declared) &&
    isSameList(fixed.allowedCpus, guest.allowedCpus) &&
    isSameMemory(fixed.memoryNodes, guest.memoryNodes) &&
    guest.vcpus.every(({ index, allowedCpus }, at) =>
      places === undefined
        ? index === at && allowedCpus === undefined
        : index === places[at]?.index && isSameList(places[at].allowedCpus, allowedCpus),
    )
  );
}

function isSameDeclaration(a: GuestSample["declared"], b: GuestSample["declared"]): boolean {
  return (
    a.class === b.class && a.slaCores === b.slaCores && a.slaDelay === b.slaDelay && a.source === b.source
  );
}

function isSameMemory(a: GuestSample["memoryNodes"], b: GuestSample["memoryNodes"]): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.length === b.length && a.every(({ node, share }, at) => node === b[at]?.node && share === b[at].share)
  );
}

/** Whether two lists of numbers, or the lack of them, are the same. */
export function isSameList(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((value, at) => value === b[at]);
}
