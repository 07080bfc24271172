import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { LibvirtStatusError, parseLibvirtStatus } from "./libvirt-status.ts";

const UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";

interface Parts {
  attributes?: string;
  vcpus?: string;
  before?: string;
  name?: string;
  uuid?: string;
  vcpu?: string;
  inside?: string;
}

function status(parts: Parts = {}): string {
  const {
    attributes = "state='running' reason='booted' pid='4711'",
    vcpus,
    before = "",
    inside = "",
  } = parts;
  return `<domstatus ${attributes}>
  <vcpus>${vcpus ?? "<vcpu id='0' pid='4720'/><vcpu id='1' pid='4721'/>"}</vcpus>
  ${before}
  <domain type='kvm' id='1'>
    <name>${parts.name ?? "web"}</name>
    <uuid>${parts.uuid ?? UUID}</uuid>
    ${parts.vcpu ?? "<vcpu placement='static'>2</vcpu>"}
    ${inside}
    <devices><graphics type='vnc' passwd='secret'/></devices>
  </domain>
</domstatus>
`;
}

describe("parseLibvirtStatus", () => {
  it("reads a guest without any tuning", () => {
    expect(parseLibvirtStatus(status())).toEqual({
      uuid: UUID,
      name: "web",
      pid: 4711,
      state: "running",
      vcpus: [
        { index: 0, tid: 4720 },
        { index: 1, tid: 4721 },
      ],
      vcpuCount: 2,
      configured: { vcpuPins: new Map(), ioThreadPins: new Map() },
      realtime: false,
    });
  });

  it("reads tuning, each thread's pin before the guest's", () => {
    const inside = `<iothreads>2</iothreads>
      <cputune><shares>2048</shares><period>100000</period><quota>-1</quota>
        <vcpupin vcpu='1' cpuset='8'/><emulatorpin cpuset='0-1'/><iothreadpin iothread='2' cpuset='15'/>
      </cputune>`;
    const vcpu = "<vcpu placement='static' cpuset='0-4,^3'>2</vcpu>";
    expect(parseLibvirtStatus(status({ inside, vcpu })).configured).toEqual({
      shares: 2048,
      vcpuPeriodUs: 100000,
      vcpuQuotaUs: -1,
      vcpuPins: new Map([
        [0, [0, 1, 2, 4]],
        [1, [8]],
      ]),
      emulatorPin: [0, 1],
      ioThreadPins: new Map([
        [1, [0, 1, 2, 4]],
        [2, [15]],
      ]),
    });
  });

  it("takes numad's advice as the pin of a guest that is placed by it", () => {
    const parsed = parseLibvirtStatus(
      status({
        before: "<numad nodeset='1' cpuset='8-9'/>",
        vcpu: "<vcpu placement='auto' cpuset='0'>1</vcpu>",
      }),
    );
    expect(parsed.configured.vcpuPins).toEqual(new Map([[0, [8, 9]]]));
  });

  it("reads 2^64-like quotas, libvirt's other way to say none, as none", () => {
    const inside = "<cputune><quota>18446744073709551</quota></cputune>";
    expect(parseLibvirtStatus(status({ inside })).configured.vcpuQuotaUs).toBe(-1);
  });

  it.each([
    ["<vcpusched vcpus='0' scheduler='fifo' priority='1'/>", true],
    ["<vcpusched vcpus='0-1' scheduler='rr' priority='1'/>", true],
    ["<vcpusched vcpus='0' scheduler='batch'/>", false],
    ["<emulatorsched scheduler='fifo' priority='1'/>", false],
  ])("real-time by %s: %j", (sched, realtime) => {
    expect(parseLibvirtStatus(status({ inside: `<cputune>${sched}</cputune>` })).realtime).toBe(realtime);
  });

  it.each([
    ["state='running' pid='1'", "", "running"],
    ["state='paused' pid='1'", "", "paused"],
    ["state='pmsuspended' pid='1'", "", "paused"],
    ["state='crashed' pid='1'", "", "paused"],
    ["state='no state' pid='1'", "", "unknown"],
    ["state='running' pid='1'", "<job type='none' async='migration out'/>", "migrating"],
    ["state='paused' pid='1'", "<job type='none' async='migration in'/>", "migrating"],
    ["state='running' pid='1'", "<job type='query' async='none'/>", "running"],
  ])("%s %s is %s", (attributes, before, state) => {
    expect(parseLibvirtStatus(status({ attributes, before })).state).toBe(state);
  });

  it("reads a name that needs escaping, once", () => {
    expect(parseLibvirtStatus(status({ name: "a:b,c=&quot;d&quot;&amp;lt;&#10;" })).name).toBe(
      'a:b,c="d"&lt;\n',
    );
  });

  it("reads a guest that starts: no threads yet, and a guest that does not run: no process", () => {
    expect(parseLibvirtStatus(status({ vcpus: "" })).vcpus).toEqual([]);
    expect(parseLibvirtStatus(status({ attributes: "state='shutoff'" })).pid).toBe(0);
  });

  it.each([
    ["text", "hello", /not XML/],
    ["an element that is not closed", status().replace("</vcpus>", ""), /not XML/],
    ["another document", "<domain type='kvm'><name>a</name></domain>", /<domstatus>/],
    ["no UUID", status({ uuid: "1234" }), /<uuid>/],
    ["no name", status({ name: "" }), /<name>/],
    ["a wrong process", status({ attributes: "state='running' pid='x'" }), /pid is "x"/],
    ["a wrong number of vCPUs", status({ vcpu: "<vcpu>many</vcpu>" }), /<vcpu>/],
    ["too many vCPUs", status({ vcpu: "<vcpu>99999</vcpu>" }), /<vcpu> 99999/],
    ["a wrong pin", status({ inside: "<cputune><vcpupin vcpu='0' cpuset='a'/></cputune>" }), /"a"/],
    ["a wrong quota", status({ inside: "<cputune><quota>x</quota></cputune>" }), /<quota>/],
  ])("refuses %s", (_what, text, message) => {
    expect(() => parseLibvirtStatus(text)).toThrow(LibvirtStatusError);
    expect(() => parseLibvirtStatus(text)).toThrow(message);
  });

  it("answers every damaged file with a status or a LibvirtStatusError", () => {
    const whole = status({ inside: "<cputune><quota>1</quota><vcpupin vcpu='0' cpuset='0'/></cputune>" });
    const damage = fc.tuple(fc.nat(whole.length), fc.nat(40), fc.string({ maxLength: 8 }));
    fc.assert(
      fc.property(damage, ([at, length, text]) => {
        try {
          parseLibvirtStatus(whole.slice(0, at) + text + whole.slice(at + length));
        } catch (error) {
          expect(error).toBeInstanceOf(LibvirtStatusError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("metadata", () => {
  const declare = (policy: string): ReturnType<typeof parseLibvirtStatus> =>
    parseLibvirtStatus(status({ inside: `<metadata>${policy}</metadata>` }));
  const NS = `xmlns:kvmgov="https://kvm-governor.dev/xmlns/policy/1"`;

  it.each([
    [`<kvmgov:policy ${NS} class="service" slaCores="0.9"/>`, { class: "service", slaCores: 0.9 }],
    [`<kvmgov:policy ${NS} slaCores="2"/>`, { class: "auto", slaCores: 2 }],
    [`<kvmgov:policy ${NS} class="service" slaDelay="0.05"/>`, { class: "service", slaDelay: 0.05 }],
    [`<p:policy xmlns:p="https://kvm-governor.dev/xmlns/policy/1" class="exempt"/>`, { class: "exempt" }],
    [`<policy xmlns="https://kvm-governor.dev/xmlns/policy/1" class="scientific"/>`, { class: "scientific" }],
  ])("reads %s", (policy, declared) => {
    expect(declare(policy)).toMatchObject({ declared: { ...declared, source: "metadata" } });
    expect(declare(policy).problem).toBeUndefined();
  });

  it.each([
    `<kvmgov:policy xmlns:kvmgov="https://example.org/1" class="service"/>`,
    `<nova:policy xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1" class="service"/>`,
    `<policy class="service"/>`,
    ``,
  ])("does not take another's %s for a declaration", (policy) => {
    expect(declare(policy).declared).toBeUndefined();
    expect(declare(policy).problem).toBeUndefined();
  });

  it.each([
    [`<kvmgov:policy ${NS} class="gold"/>`, /class/],
    [`<kvmgov:policy ${NS} slaCores="many"/>`, /slaCores/],
    [`<kvmgov:policy ${NS} slaCores="0"/>`, /slaCores/],
    [`<kvmgov:policy ${NS} slaDelay="5%"/>`, /slaDelay/],
    [`<kvmgov:policy ${NS} slaDelay="1.5"/>`, /slaDelay: must be at most 1/],
    [`<kvmgov:policy ${NS} class="scientific" slaDelay="0.05"/>`, /slaDelay: is for services/],
    [`<kvmgov:policy ${NS} sla="1"/>`, /sla/],
    [`<kvmgov:policy ${NS} class="service"/><kvmgov:policy ${NS} class="exempt"/>`, /more than one/],
  ])("leaves a guest alone whose declaration is wrong, and says so: %s", (policy, problem) => {
    expect(declare(policy).declared?.class).toBe("exempt");
    expect(declare(policy).problem).toMatch(problem);
  });
});
