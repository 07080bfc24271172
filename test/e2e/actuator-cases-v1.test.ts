/** The cases of the actuator on cgroup v1 of this machine, with a real libvirt. */
import { actuatorCases } from "../cases/actuator.cases.ts";
import { V1CaseHost } from "../cases/v1-host.ts";
import { describeWith } from "../support/requirements.ts";

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "cases on this machine", () => {
  actuatorCases("cgroup v1", () => V1CaseHost.start(), {
    lacks: {
      systemd: "the lab's libvirt has no systemd",
      reboot: "this machine is not ours to reboot",
    },
  });
});
