import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { hostPlaces, HostPlacesError, lookForHostPlaces } from "./host-places.ts";

const USUAL = {
  stateDir: "/var/lib/kvm-governor",
  runDir: "/run/kvm-governor",
  libvirtRunDir: "/run/libvirt/qemu",
};

describe("hostPlaces", () => {
  let dir: string;
  let file: string;

  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), "kvmgov-places-"));
    file = path.join(dir, "actuator.yaml");
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it("are the usual ones without a file, and with one that says nothing of them", () => {
    expect(hostPlaces({}, file)).toEqual(USUAL);
    writeFileSync(file, "# nothing\n");
    expect(hostPlaces({}, file)).toEqual(USUAL);
  });

  it("are those of the file, and the environment's above them; what else is wrong in it is no matter", () => {
    writeFileSync(file, "stateDir: /data/state\nlibvirtRunDir: /data/qemu\nlimits: { nonsense: 1 }\n");
    const places = { ...USUAL, stateDir: "/data/state", libvirtRunDir: "/data/qemu" };
    expect(hostPlaces({}, file)).toEqual(places);
    expect(hostPlaces({ KVMGOV_STATE_DIR: "/e", KVMGOV_RUN_DIR: "" }, file)).toEqual({
      ...places,
      stateDir: "/e",
    });
    expect(hostPlaces({ KVMGOV_CONFIG: file }, "/nonexistent")).toEqual(places);
  });

  it.each([
    ["no YAML", "stateDir: [\n"],
    ["no map", "- a\n"],
    ["no text", "stateDir: 7\n"],
  ])("is an error where the file is %s, or told beside the usual ones", (_what, text) => {
    writeFileSync(file, text);
    expect(() => hostPlaces({}, file)).toThrow(HostPlacesError);
    expect(() => hostPlaces({}, file)).toThrow(`${file} does not say where baselines are kept`);
    expect(lookForHostPlaces({}, file)).toMatchObject({ ...USUAL, problem: expect.any(HostPlacesError) });
    // Who says it all needs no file.
    const env = { KVMGOV_STATE_DIR: "/e", KVMGOV_RUN_DIR: "/r", KVMGOV_LIBVIRT_RUN_DIR: "/l" };
    expect(hostPlaces(env, file)).toEqual({ stateDir: "/e", runDir: "/r", libvirtRunDir: "/l" });
  });

  it("is an error where the file that the environment names is not there", () => {
    expect(() => hostPlaces({ KVMGOV_CONFIG: file })).toThrow(/ENOENT/);
  });
});
