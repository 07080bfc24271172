/** The cases of the actuator on cgroup v2: a whole Debian with systemd and libvirt, emulated. */
import { describe } from "@jest/globals";
import { actuatorCases } from "../cases/actuator.cases.ts";
import { V2CaseHost } from "../cases/v2-host.ts";
import { describeWith } from "../support/requirements.ts";

const NAME = "cases on an emulated host";
const cases = (): void =>
  actuatorCases("cgroup v2 under systemd", () =>
    V2CaseHost.start({ log: (line) => process.stderr.write(`${line}\n`) }),
  );

if (process.arch === "x64") describeWith(["root", "v2-host", "servers"], NAME, cases);
else describe.skip(`${NAME} — skipped: its image is for x86 —`, cases);
