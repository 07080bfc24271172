import { describe, expect, it } from "@jest/globals";
import {
  Renamer,
  scrubCommandLine,
  scrubLibvirtStatus,
  scrubMountInfo,
  scrubProcPidStat,
  scrubProcStat,
  scrubStatus,
} from "./scrub.js";

const UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";
const STATUS = `<!--
WARNING: THIS IS AN AUTO-GENERATED FILE
-->

<domstatus state='running' reason='booted' pid='4711'>
  <monitor path='/var/lib/libvirt/qemu/domain-1-secret/monitor.sock' type='unix'/>
  <vcpus>
    <vcpu id='0' pid='4720'/>
  </vcpus>
  <domain type='kvm' id='1'>
    <name>secret-name</name>
    <uuid>${UUID}</uuid>
    <title>secret</title>
    <metadata>
      <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
        <nova:name>secret</nova:name>
      </nova:instance>
      <kvmgov:policy xmlns:kvmgov="https://kvm-governor.dev/xmlns/policy/1" class="service"/>
    </metadata>
    <vcpu placement='static'>1</vcpu>
    <cputune>
      <quota>50000</quota>
    </cputune>
    <sysinfo type='smbios'>
      <system>
        <entry name='serial'>secret</entry>
      </system>
    </sysinfo>
    <os>
      <type arch='x86_64'>hvm</type>
      <cmdline>password=secret</cmdline>
    </os>
    <devices>
      <graphics type='vnc' passwd='secret'/>
    </devices>
  </domain>
</domstatus>
`;

describe("scrubLibvirtStatus", () => {
  it("keeps byte for byte what is known, and nothing else", () => {
    expect(new Renamer(["secret-name"]).rename(scrubLibvirtStatus(STATUS))).toBe(
      `<domstatus state='running' reason='booted' pid='4711'>
  <vcpus>
    <vcpu id='0' pid='4720'/>
  </vcpus>
  <domain type='kvm' id='1'>
    <name>guest-1</name>
    <uuid>00000000-0000-4000-8000-000000000001</uuid>
    <metadata>
      <kvmgov:policy xmlns:kvmgov="https://kvm-governor.dev/xmlns/policy/1" class="service"/>
    </metadata>
    <vcpu placement='static'>1</vcpu>
    <cputune>
      <quota>50000</quota>
    </cputune>
    <os>
      <type arch='x86_64'>hvm</type>
    </os>
  </domain>
</domstatus>
`,
    );
  });

  it("refuses a file that it does not understand", () => {
    expect(() => scrubLibvirtStatus("<domain/>")).toThrow(/not a status file/);
  });
});

describe("scrubCommandLine", () => {
  it("keeps known options and drops the values of all others", () => {
    const args = [
      ...["/usr/bin/qemu-system-x86_64", "-name", "guest=web,debug-threads=on", "-S"],
      ...["-object", '{"qom-type":"secret","id":"s","data":"secret"}', "-object", "iothread,id=iothread1"],
      ...["-smbios", `type=1,serial=secret,uuid=${UUID}`, "-vnc", "127.0.0.1:0,password=secret"],
      ...["-incoming", "tcp:secret:49152", "-append", "secret", "-overcommit", "cpu-pm=on"],
    ];
    expect(scrubCommandLine(args.map((arg) => `${arg}\0`).join("")).split("\0")).toEqual([
      ...[
        "qemu-system-x86_64",
        "-name",
        "guest=web,debug-threads=on",
        "-S",
        "-object",
        "iothread,id=iothread1",
      ],
      ...["-smbios", `type=1,uuid=${UUID}`, "-incoming", "defer", "-overcommit", "cpu-pm=on", ""],
    ]);
  });
});

describe("scrubbing of /proc", () => {
  it("drops what it does not list", () => {
    expect(scrubStatus("Name:\tqemu\nUid:\t0\t0\nCpus_allowed_list:\t0-1\nSeccomp:\t2\n")).toBe(
      "Name:\tqemu\nCpus_allowed_list:\t0-1\n",
    );
    expect(scrubProcStat("cpu  1 2\ncpu0 1 2\nintr 5 6\nbtime 17\nctxt 3\n")).toBe(
      "cpu  1 2\ncpu0 1 2\nctxt 3\n",
    );
    const mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    expect(scrubMountInfo(`${mounts}31 23 0:27 / /home/secret rw - nfs server:/secret rw\n`)).toBe(mounts);
  });

  it("blanks addresses in memory, wherever the name ends", () => {
    const fields = Array.from({ length: 50 }, (_, at) => String(at + 3)).join(" ");
    const scrubbed = scrubProcPidStat(`12 (a) b) ${fields}\n`);
    expect(scrubbed.startsWith("12 (a) b) 3 4 5 ")).toBe(true);
    expect(scrubbed).toContain(" 25 0 0 0 0 0 31 32 33 34 0 36 ");
    expect(scrubbed).toContain(" 44 0 0 0 0 0 0 0 52\n");
  });
});

describe("Renamer", () => {
  it("renames a guest in every form that its name takes, and no other word", () => {
    const renamer = new Renamer(["my-vm", 'a,b"']);
    expect(renamer.rename("/machine.slice/machine-qemu\\x2d1\\x2dmy\\x2dvm.scope")).toBe(
      "/machine.slice/machine-qemu\\x2d1\\x2dguest\\x2d1.scope",
    );
    expect(renamer.rename("qemu-1-my-vm.libvirt-qemu my-vmx")).toBe("qemu-1-guest-1.libvirt-qemu my-vmx");
    expect(renamer.rename('guest=a,,b" <name>a,b&quot;</name> qemu-2-ab.libvirt')).toBe(
      "guest=guest-2 <name>guest-2</name> qemu-2-guest-2.libvirt",
    );
  });

  it("gives one UUID the same name everywhere", () => {
    const renamer = new Renamer([]);
    expect(renamer.rename(`${UUID} ${UUID}`)).toBe(
      "00000000-0000-4000-8000-000000000001 00000000-0000-4000-8000-000000000001",
    );
  });
});
