/** The XML of the paper's guests. */
import { expect, test } from "@jest/globals";
import { paceBetween, paperGuestXml } from "./guest.ts";

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

test("the pace of a guest's clock is told as far as the readings can", () => {
  const first = { guestMs: 5000, fromMs: 100, toMs: 110 };
  const right = paceBetween(first, { guestMs: 7010, fromMs: 2110, toMs: 2130 });
  expect(right.least).toBeLessThan(1);
  expect(right.most).toBeGreaterThan(1);
  const slow = paceBetween(first, { guestMs: 6000, fromMs: 2110, toMs: 2130 });
  expect(slow.most).toBeCloseTo(1010 / 2000, 10);
  const fast = paceBetween(first, { guestMs: 9060, fromMs: 2110, toMs: 2130 });
  expect(fast.least).toBeCloseTo(4050 / 2030, 10);
});
