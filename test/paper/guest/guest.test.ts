/** The XML of the paper's guests. */
import { expect, test } from "@jest/globals";
import { paperGuestXml } from "./guest.ts";

const place = { uuid: "u", socket: "/tmp/a&b", image: { kernel: "/k", initrd: "/i" } };

test("a guest under emulation: no KVM asked for, its port forwarded on loopback only, its policy declared", () => {
  const spec = {
    name: "web",
    vcpus: 1,
    memoryMib: 192,
    webPort: 8123,
    policy: { class: "service", slaCores: 0.6 },
  };
  const xml = paperGuestXml(spec, { ...place, accelerator: "tcg" });
  expect(xml).toContain("<domain type='qemu' ");
  expect(xml).toContain("hostfwd=tcp:127.0.0.1:8123-:80");
  expect(xml).toContain('class="service" slaCores="0.6"');
  expect(xml).toContain("/tmp/a&#38;b");
});

test("under KVM the CPU is the host's; without a port or a policy nothing is forwarded or declared", () => {
  const xml = paperGuestXml({ name: "pc", vcpus: 2, memoryMib: 128 }, { ...place, accelerator: "kvm" });
  expect(xml).toContain("<domain type='kvm' ");
  expect(xml).toContain("host-passthrough");
  expect(xml).not.toContain("hostfwd");
  expect(xml).not.toContain("kvmgov");
});
