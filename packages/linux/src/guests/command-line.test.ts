import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { parseQemuCommandLine, parseQemuOpts, splitCommandLine } from "./command-line.ts";

const UUID = "6F1D3A3C-0A3B-4C39-9D8E-0E6F2B3D8B11";
const parse = (...args: string[]): ReturnType<typeof parseQemuCommandLine> =>
  parseQemuCommandLine(["/usr/bin/qemu-system-x86_64", ...args]);

describe("parseQemuCommandLine", () => {
  it.each([
    [["-name", "guest=web,debug-threads=on"], { name: "web", debugThreads: true }],
    [["-name", "web,debug-threads=off"], { name: "web", debugThreads: false }],
    [["--name", "web"], { name: "web" }],
    [["-name", "guest=web,process=qemu:web"], { name: "web" }],
    [["-name", 'guest=a:b,,c="d"\n,debug-threads=on'], { name: 'a:b,c="d"\n', debugThreads: true }],
    [["-name", "debug-threads=on"], { debugThreads: true }],
    [["-uuid", UUID], { uuid: UUID.toLowerCase() }],
    [["-uuid", "web"], {}],
    [["-id", "100", "-name", "vm"], { vmId: "100", name: "vm" }],
    [["-smbios", `type=1,uuid=${UUID}`], { uuid: UUID.toLowerCase() }],
    [["-smbios", `type=2,uuid=${UUID}`], {}],
    [["-overcommit", "cpu-pm=on"], { cpuPm: true }],
    [["-overcommit", "mem-lock=off,cpu-pm=yes"], { cpuPm: true }],
    [["-overcommit", "mem-lock=on,cpu-pm=off"], {}],
    [["-overcommit", "cpu-pm"], { cpuPm: true }],
    [["-machine", "none,accel=kvm:tcg"], { isProbe: true }],
    [["-M", "pc"], {}],
    [["-nodefaults", "-S", "-name", "web"], { name: "web" }],
  ])("reads %j", (args, expected) => {
    expect(parse(...args)).toEqual({ cpuPm: false, isProbe: false, ...expected });
  });

  it("prefers -uuid to the SMBIOS table, wherever they stand", () => {
    const other = "00000000-0000-4000-8000-000000000001";
    expect(parse("-smbios", `type=1,uuid=${other}`, "-uuid", UUID).uuid).toBe(UUID.toLowerCase());
  });

  it("does not take the text of a guest's owner for options", () => {
    expect(parse("-append", "-name", "-name", "web").name).toBe("web");
  });

  it("gives back every name that QEMU can be given", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "binary" }), (name) => {
        fc.pre(!name.includes("\0"));
        const args = parse("-name", `guest=${name.replaceAll(",", ",,")},debug-threads=on`);
        expect(args).toMatchObject({ name, debugThreads: true });
      }),
    );
  });

  it("takes any arguments without an error", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("-name", "-uuid", "-smbios", "-overcommit", "-M", ",,", "="),
    );
    fc.assert(fc.property(fc.array(word), (args) => expect(parse(...args).cpuPm).toBeDefined()));
  });
});

describe("splitCommandLine", () => {
  it("keeps empty arguments and newlines", () => {
    expect(splitCommandLine("qemu\0-append\0\0a\nb\0")).toEqual(["qemu", "-append", "", "a\nb"]);
    expect(splitCommandLine("")).toEqual([]);
  });
});

describe("parseQemuOpts", () => {
  it("splits at single commas only", () => {
    expect([...parseQemuOpts("a=1,b=x,,y,c")]).toEqual([
      ["a", "1"],
      ["b", "x,y"],
      ["c", "on"],
    ]);
  });
});
