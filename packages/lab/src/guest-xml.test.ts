import { expect, test } from "@jest/globals";
import { escapeXml, guestXml } from "./guest-xml.ts";

const files = { uuid: "8f3b53dd-bf3c-416d-b506-82034618ec2c", image: "/i.rom", serial: "/s" };

test("what a tenant may put into a name cannot end the element or attribute it stands in", () => {
  expect(escapeXml(`a:b,c="d"\n<&'`)).toBe("a:b,c=&#34;d&#34;&#10;&#60;&#38;&#39;");
  expect(guestXml({ name: "</name><x/>" }, files)).toContain("<name>&#60;/name&#62;&#60;x/&#62;</name>");
});

test("a declared policy goes into our namespace", () => {
  const xml = guestXml({ name: "a", policy: { class: "service", slaCores: 0.9 } }, files);
  expect(xml).toContain(
    '<metadata><kvmgov:policy xmlns:kvmgov="https://kvm-governor.dev/xmlns/policy/1" class="service" slaCores="0.9"/></metadata>',
  );
});

test("tuning is given as libvirt wants it, and only what was asked for", () => {
  const cputune = { shares: 512, quotaUs: 25_000, emulatorpin: "0", vcpupin: [{ vcpu: 1, cpuset: "0-1" }] };
  expect(guestXml({ name: "a", cputune }, files)).toContain(
    "<cputune><shares>512</shares><quota>25000</quota>" +
      "<vcpupin vcpu='1' cpuset='0-1'/><emulatorpin cpuset='0'/></cputune>",
  );
  expect(guestXml({ name: "a" }, files)).not.toMatch(/cputune|metadata|iothreads/);
});
