import { describe, expect, it } from "@jest/globals";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Write } from "../controls/write.ts";
import type { FileBaseline } from "./records.ts";
import { restoreDropIns } from "./restore-drop-in.ts";

const UNIT = "machine-qemu\\x2d1\\x2dweb.scope";
const HEADER = "# Created via systemctl\n[Scope]\n";

/** A systemd that keeps a transient unit, and takes properties through `write`. */
class Systemd implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "kvmgov-dropin-"));
  readonly dir = join(this.root, `${UNIT}.d`);
  readonly written: string[] = [];
  readonly io = {
    write: (write: Write): void => {
      if (write.op !== "unit") throw new Error(`unexpected ${write.op}`);
      this.written.push(write.value);
      this.dropIn(write.property, write.value);
    },
  };

  dropIn(property: string, value: string): string {
    mkdirSync(this.dir, { recursive: true });
    const text = `${HEADER}${property}=${value}\n`;
    writeFileSync(join(this.dir, `50-${property}.conf`), text);
    return text;
  }

  restore(weight: string, dropIn?: string): Promise<string[]> {
    const file: FileBaseline = {
      ...{ key: "/g/cpu.weight", version: 2, inode: 1, target: "guest", setting: "weight" },
      ...{ raw: `${weight}\n`, unit: UNIT, ...(dropIn !== undefined && { dropIn }) },
    };
    return restoreDropIns([file], this.io, this.root);
  }

  get isClean(): boolean {
    return !existsSync(this.dir);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

describe("what systemd held about a weight", () => {
  it("is nothing again where it was nothing", async () => {
    using systemd = new Systemd();
    systemd.dropIn("CPUWeight", "");
    expect(await systemd.restore("100")).toEqual([]);
    expect([systemd.isClean, systemd.written]).toEqual([true, []]);
  });

  it("keeps drop-ins for other properties", async () => {
    using systemd = new Systemd();
    systemd.dropIn("CPUWeight", "");
    systemd.dropIn("TasksMax", "9");
    expect(await systemd.restore("100")).toEqual([]);
    expect(existsSync(join(systemd.dir, "50-CPUWeight.conf"))).toBe(false);
    expect(existsSync(join(systemd.dir, "50-TasksMax.conf"))).toBe(true);
  });

  it("stays where it says something that is not ours", async () => {
    using systemd = new Systemd();
    systemd.dropIn("CPUWeight", "300");
    expect(await systemd.restore("300")).toEqual([]);
    expect(systemd.isClean).toBe(false);
  });

  it("is said again, also where the kernel's default was written out", async () => {
    using systemd = new Systemd();
    const first = systemd.dropIn("CPUWeight", "100");
    systemd.dropIn("CPUWeight", "");
    expect(await systemd.restore("100", first)).toEqual([]);
    expect(systemd.written).toEqual(["100"]);
    expect(await systemd.restore("100", first)).toEqual([]);
    expect(systemd.written).toEqual(["100"]);
  });

  it("is not said again where libvirt was told another weight since", async () => {
    using systemd = new Systemd();
    const first = systemd.dropIn("CPUWeight", "512");
    systemd.dropIn("CPUWeight", "300");
    expect(await systemd.restore("300", first)).toEqual([]);
    expect(systemd.written).toEqual([]);
  });

  it("is named where it cannot be removed", async () => {
    using systemd = new Systemd();
    mkdirSync(join(systemd.dir, "50-CPUWeight.conf"), { recursive: true });
    expect((await systemd.restore("100")).join()).toMatch(/the drop-in of .*web.scope stays: EISDIR/);
  });
});
