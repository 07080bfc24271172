/**
 * Placement on machines that we do not have: emulated hosts with several sockets, NUMA nodes and SMT. Collector and actuator run on
 * them, the classifier here; what is looked at is the kernel's CPU sets. Takes minutes a host: `npm run test:topologies`.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { LAST_OF_EACH_HOST } from "@kvm-governor/service-kit";
import { hostSchema, parseContract, parseCpuList, sampleSchema } from "@kvm-governor/policy";
import type { Host, Sample } from "@kvm-governor/policy";
import type { CaseGuest, CaseService, KernelState } from "../cases/case-host.ts";
import { changes } from "../cases/kernel-states.ts";
import { V2CaseHost } from "../cases/v2-host.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import { cpuCount, PAPER, TWO_SOCKETS_SMT, type Topology } from "../v2-host/v2-host.ts";

const START_MS = 1_800_000;
const TEST_MS = 900_000;
/** An emulated host has 16 CPUs on two: it is given the time. */
const PERIOD_MS = 5000;
const SOLVER_VCPUS = 4;

describeWith(["root", "x86", "v2-host", "servers"], "placement on an emulated host", () => {
  placementOn("2 sockets x 8 cores, two NUMA nodes", PAPER);
  placementOn("2 sockets x 4 cores x 2 threads, two NUMA nodes", TWO_SOCKETS_SMT);
});

function placementOn(name: string, topology: Topology): void {
  describe(name, () => {
    const id = `topology-${topology.threads}`;
    const done = new AbortController();
    const services: CaseService[] = [];
    let plane: ControlPlane;
    let host: V2CaseHost;
    let announced: Host | undefined;
    let sample: Sample | undefined;
    let solvers: CaseGuest[];
    let web: CaseGuest;
    let untouched: KernelState;

    beforeAll(async () => {
      plane = await ControlPlane.start();
      host = await V2CaseHost.start({ topology, log: (line) => void process.stderr.write(`${line}\n`) });
      const solver = { vcpus: SOLVER_VCPUS, policy: { class: "scientific" } };
      solvers = [
        await host.defineAndStart({ name: "solver-1", ...solver }),
        await host.defineAndStart({ name: "solver-2", ...solver }),
      ];
      web = await host.defineAndStart({ name: "web", policy: { class: "service", slaCores: 0.5 } });
      untouched = await host.kernelState([...solvers, web]);
      void plane.bus.consume("host", LAST_OF_EACH_HOST, done.signal, (message) => {
        message.ack();
        announced = parseContract(hostSchema, message.data, message.subject);
      });
      void plane.bus.consume("sample", "topologies", done.signal, (message) => {
        message.ack();
        sample = parseContract(sampleSchema, message.data, message.subject);
      });
      await plane.classifier();
      const { url, user, password } = plane.nats;
      const env = {
        KVMGOV_HOST_ID: id,
        KVMGOV_NATS_URL: host.reach(url),
        KVMGOV_NATS_USER: user,
        KVMGOV_NATS_PASSWORD: password,
      };
      services.push(await host.startService("actuator", id, env));
      const collector = { ...env, KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS) };
      services.push(await host.startService("collector", id, collector));
    }, START_MS);

    afterAll(async () => {
      done.abort();
      await host?.stop();
      await plane?.stop();
    }, START_MS);

    /** Where a guest's vCPUs may run, by the kernel's CPU sets. */
    const cpusOf = async (guest: CaseGuest): Promise<number[][]> => {
      const state = await host.kernelState([guest]);
      return guest.vcpuTids.map((tid) => parseCpuList(state[`affinity ${tid}`] ?? ""));
    };
    const alone = async (guest: CaseGuest): Promise<number[] | undefined> => {
      const cpus = await cpusOf(guest);
      return cpus.every((set) => set.length === 1) ? cpus.flat() : undefined;
    };
    const all = Array.from({ length: cpuCount(topology) }, (_, cpu) => cpu);

    test(
      "the topology is read as it was built",
      async () => {
        const host = await waitFor("the host", 300_000, () => announced);
        expect(host.topology.map(placeOf)).toEqual(all.map((cpu) => expectedPlace(topology, cpu)));
      },
      TEST_MS,
    );

    test(
      "scientific guests get whole cores close together, the service the others, and all of it is given back",
      async () => {
        const [first = [], second = []] = await waitFor("CPUs of their own", 600_000, async () => {
          const seats = [];
          for (const solver of solvers) seats.push(await alone(solver));
          return seats.every((cpus) => cpus !== undefined) ? seats : undefined;
        });
        process.stderr.write(`${name}: solver-1 ${first.join()} solver-2 ${second.join()}\n`);
        expect(new Set([...first, ...second]).size).toBe(2 * SOLVER_VCPUS);
        for (const cpus of [first, second]) {
          expect(new Set(cpus.map((cpu) => expectedPlace(topology, cpu).node)).size).toBe(1);
          const cores = new Set(cpus.map((cpu) => expectedPlace(topology, cpu).core));
          expect(cores.size).toBe(SOLVER_VCPUS / topology.threads);
        }
        const others = all.filter((cpu) => ![...first, ...second].includes(cpu));
        await waitFor("the service on the others", 120_000, async () => {
          const [cpus = []] = await cpusOf(web);
          return cpus.join() === others.join() || undefined;
        });
        for (const { name: guest, memoryNodes } of sample?.guests ?? [])
          process.stderr.write(`${name}: memory of ${guest}: ${JSON.stringify(memoryNodes)}\n`);
        const [actuator] = services;
        expect(await actuator?.stop()).toBe(0);
        expect(changes(untouched, await host.kernelState([...solvers, web]))).toEqual([]);
      },
      TEST_MS,
    );
  });
}

interface Place {
  cpu: number;
  package: number;
  node: number;
  llc: number;
  core: number;
}

const placeOf = ({ cpu, package: socket, node, llc, core }: Host["topology"][number]): Place => ({
  ...{ cpu, package: socket, node, llc, core },
});

/** QEMU numbers threads first, then cores, then sockets; each socket has one last-level cache and one NUMA node. */
function expectedPlace({ cores, threads }: Topology, cpu: number): Place {
  const socket = Math.floor(cpu / (cores * threads));
  const llc = socket * cores * threads;
  return { cpu, package: socket, node: socket, llc, core: cpu - (cpu % threads) };
}
