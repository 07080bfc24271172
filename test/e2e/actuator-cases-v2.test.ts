/** The cases of the actuator on cgroup v2: a whole Debian with systemd and libvirt, emulated. */
import { actuatorCases } from "../cases/actuator.cases.ts";
import { V2CaseHost } from "../cases/v2-host.ts";
import { describeWith } from "../support/requirements.ts";

/** The first time the image is built. */
const START_MS = 1_500_000;
/** Ten seconds on a quiet machine, minutes beside other work. */
const CASE_MS = 900_000;

describeWith(["root", "x86", "v2-host", "servers"], "cases on an emulated host", () => {
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const times = { startMs: START_MS, caseMs: CASE_MS };
  actuatorCases("cgroup v2 under systemd", () => V2CaseHost.start({ log }), times);
});
