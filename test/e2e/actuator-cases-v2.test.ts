/** The cases of the actuator on cgroup v2: a whole Debian with systemd and libvirt, emulated, on which a release is installed too. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { actuatorCases } from "../cases/actuator.cases.ts";
import { V2CaseHost } from "../cases/v2-host.ts";
import { repository } from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";
import { expectedSlowness } from "../v2-host/slowness.ts";

/** On a quiet machine, the first time, when the image is built. */
const START_MS = 1_500_000;

describeWith(["root", "x86", "v2-host", "servers"], "cases on an emulated host", () => {
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const startMs = START_MS * expectedSlowness();
  actuatorCases(
    "cgroup v2 under systemd",
    () => withRelease((archive) => V2CaseHost.start({ log, archive })),
    {
      startMs,
    },
  );
});

/** Makes a release as a user does, for as long as `use` takes. */
async function withRelease<T>(use: (archive: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-v2release-${process.pid}-`));
  try {
    const script = path.join(repository, "scripts/release.js");
    const { stdout } = await promisify(execFile)(process.execPath, [script, dir]);
    return await use(stdout.trim());
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
