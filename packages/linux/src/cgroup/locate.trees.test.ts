/** Groups of the guests of whole host trees, captured or made by hand (test/trees/README.md). */
import { describe, expect, it } from "@jest/globals";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Guest } from "../guests/guest.ts";
import { GuestWatcher } from "../guests/watcher.ts";
import { locateGuest } from "./locate.ts";

const root = (tree: string): string =>
  fileURLToPath(new URL(`../../../../test/trees/${tree}`, import.meta.url));

function guestsOf(tree: string): readonly Guest[] {
  const dir = root(tree);
  using watcher = new GuestWatcher({
    procRoot: `${dir}/proc`,
    sysRoot: `${dir}/sys`,
    libvirtRunDir: `${dir}/run/libvirt/qemu`,
    nowUs: () => 1e12,
  });
  watcher.refresh();
  return watcher.inventory.guests;
}

/** `vcpus/iothreads/emulator@group` of one controller, the group below its mount point. */
function summary(tree: string, name: string, controller: "cpu" | "cpuset"): string | undefined {
  const dir = root(tree);
  const guest = guestsOf(tree).find((one) => one.name === name);
  if (guest === undefined) throw new Error(`no guest ${name} in ${tree}`);
  const found = locateGuest(guest, { procRoot: `${dir}/proc`, sysRoot: `${dir}/sys` })?.[controller];
  if (found === undefined) return undefined;
  const group = found.guest === undefined ? "" : relative(found.mountPoint, found.guest);
  return `v${found.version} ${found.vcpus.size}/${found.ioThreads.size}/${found.emulator === undefined ? 0 : 1}@${group}`;
}

const lab = "kvmgov-lab-7918-kvmgov-lab-v1/machine";
const scope = (name: string): string => String.raw`machine.slice/machine-qemu\x2d${name}.scope`;

describe("groups of guests on whole hosts", () => {
  it.each([
    ["debian12-v1", "web", `v1 1/0/1@${lab}/qemu-1-web.libvirt-qemu`],
    ["debian12-v1", "hpc", `v1 2/1/1@${lab}/qemu-2-hpc.libvirt-qemu`],
    ["debian12-v1", `a:b,c="d"`, `v1 1/0/1@${lab}/qemu-4-abcd.libvirt-qemu`],
    ["debian12-v1", "bare", undefined],
    ["debian12-v2-systemd", "hpc", `v2 8/2/1@${scope(String.raw`2\x2dhpc`)}`],
    ["debian12-v2-systemd", "auto-numa", `v2 2/0/1@${scope(String.raw`4\x2dauto\x2dnuma`)}`],
    ["proxmox8", "hpc", "v2 0/0/0@qemu.slice/101.scope"],
    ["ovirt45", "high-performance", `v2 4/1/1@${scope(String.raw`2\x2dhigh\x2dperformance`)}`],
  ])("%s, guest %s: %s", (tree, name, expected) => {
    expect(summary(tree, name, "cpu")).toBe(expected);
    expect(summary(tree, name, "cpuset")).toBe(expected);
  });
});
