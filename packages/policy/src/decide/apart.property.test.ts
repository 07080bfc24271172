/** Whatever happens on a small host: where a guest is held on one CPU a vCPU, it may be, and can run. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import type { GuestSample } from "../contracts/sample.ts";
import { TestHost, cpus, guest, planOf } from "../testing/hosts.ts";
import { apartBefore, hadCpusAlone } from "./reasons.ts";

const CPUS = 4;
const part = fc.constantFrom(0, 0.05, 0.3, 0.6, 0.9, 1);
const vcpu = fc.record({ run: part, delay: part });

/** One period of a host: a scientific guest with pins or without, a service, and what the host uses itself. */
const period = fc.record({
  solver: fc.array(vcpu, { minLength: 1, maxLength: CPUS }),
  pins: fc.option(fc.subarray(cpus(CPUS), { minLength: 1 }), { nil: undefined, freq: 2 }),
  services: fc.array(part, { minLength: 1, maxLength: 3 }),
  hostRun: fc.constantFrom(0, 0.5, 2.5),
  online: fc.subarray(cpus(CPUS), { minLength: 2 }),
});

it("it has as many CPUs as vCPUs, of its own choice and online; nobody has one alone, and no vCPU starved where another did not", () => {
  let held = 0;
  fc.assert(
    fc.property(fc.array(period, { minLength: 1, maxLength: 12 }), (periods) => {
      const host = new TestHost();
      for (const { solver, pins, services, hostRun, online } of periods) {
        const vcpus = solver.map(({ run, delay }, index) => ({
          index,
          run: Math.min(run, 1 - delay),
          delay,
        }));
        const own: GuestSample = guest(
          1,
          {},
          {
            declared: { class: "scientific" },
            vcpus,
            ...(pins === undefined ? {} : { allowedCpus: pins }),
          },
        );
        const others = services.map((run, i) =>
          guest(2 + i, { run, vcpus: 1 }, { declared: { class: "service" } }),
        );
        const decision = host.tick([own, ...others], { cpus: online, hostRun });
        const plan = planOf(decision, 1);
        if (apartBefore(plan) !== "apart") continue;
        held += 1;
        const seats = plan.vcpus.map(({ cpus: set }) => (set === "baseline" ? [] : set));
        expect(seats.every((set) => set.length === 1)).toBe(true);
        expect(new Set(seats.flat()).size).toBe(vcpus.length);
        const alone = decision.plan.guests.flatMap((each) => hadCpusAlone(each) ?? []);
        const open = online.filter((cpu) => pins?.includes(cpu) !== false && !alone.includes(cpu));
        expect(seats.flat()).toEqual(open);
      }
    }),
    { numRuns: 300 },
  );
  // 96 on average over seeds, 10 more or less: never so few by chance.
  expect(held).toBeGreaterThan(30);
});
