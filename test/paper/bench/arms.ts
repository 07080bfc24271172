/** How the guests are held in each arm: what is set before, and taken back after. */
import type { Stage } from "./stage.ts";
import type { Arm, BenchOptions } from "./plan.ts";
import { startGovernor } from "./governor.ts";

export interface HeldArm {
  /** Whether the governor has the scientific guest in LIST_sc by now; undefined without a governor. */
  isClassified(): Promise<boolean | undefined>;
  end(): Promise<void>;
}

const NOTHING: HeldArm = { isClassified: async () => undefined, end: async () => undefined };
const PERIOD_US = 100_000;
/** "No limit" to virsh. */
const NO_QUOTA = -1;

/** Whether the services are asked for anything in this arm, and whether the kernels run. */
export const hasServices = (arm: Arm): boolean => arm !== "alone";
export const hasKernels = (arm: Arm): boolean => arm !== "services";

const GOVERNED = {
  paper: { PRESET: "paper" },
  governor: { PRESET: "default" },
  limited: { PRESET: "default", SERVICE_LIMIT: "sla" },
} as const;

export async function holdArm(stage: Stage, arm: Arm, options: BenchOptions): Promise<HeldArm> {
  switch (arm) {
    case "default":
    case "alone":
    case "services":
      return NOTHING;
    case "static":
      await tune(stage);
      return { ...NOTHING, end: () => untune(stage) };
    case "paper":
    case "governor":
    case "limited": {
      const governor = await startGovernor(stage, GOVERNED[arm], options);
      const isClassified = async (): Promise<boolean> =>
        (await governor.scientific()).has(stage.scientific.uuid);
      return { isClassified, end: () => governor.stop() };
    }
  }
}

/** What somebody who knows the loads sets by hand: each scientific vCPU on a CPU of its own, services capped at their SLA. */
async function tune(stage: Stage): Promise<void> {
  const { libvirt, scientific, services, cpus } = stage;
  for (let vcpu = 0; vcpu < scientific.vcpus; vcpu++) {
    await libvirt.virsh([
      "vcpupin",
      scientific.name,
      String(vcpu),
      String(cpus[vcpu % cpus.length]),
      "--live",
    ]);
  }
  for (const { guest, slaCores } of services) {
    await setQuota(stage, guest.name, Math.round((slaCores / guest.vcpus) * PERIOD_US));
  }
}

async function untune(stage: Stage): Promise<void> {
  const { libvirt, scientific, services, cpus } = stage;
  for (let vcpu = 0; vcpu < scientific.vcpus; vcpu++) {
    await libvirt.virsh(["vcpupin", scientific.name, String(vcpu), cpus.join(","), "--live"]);
  }
  for (const { guest } of services) await setQuota(stage, guest.name, NO_QUOTA);
}

async function setQuota({ libvirt }: Stage, name: string, quotaUs: number): Promise<void> {
  await libvirt.virsh(["schedinfo", name, "--live", `vcpu_period=${PERIOD_US}`, `vcpu_quota=${quotaUs}`]);
}
