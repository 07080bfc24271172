/** Archives against the format's description, read back by a reader of their own. */
import { expect, test } from "@jest/globals";
import { cpioArchive } from "./cpio.ts";

interface Found {
  mode: number;
  content: string;
}

/** Reads an archive as the kernel does: a header of 13 numbers in hexadecimal, the name, the content, all on multiples of 4. */
function read(archive: Buffer): Map<string, Found> {
  const found = new Map<string, Found>();
  for (let at = 0; ;) {
    expect(archive.toString("latin1", at, at + 6)).toBe("070701");
    const field = (index: number): number =>
      parseInt(archive.toString("latin1", at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const name = archive.toString("utf8", at + 110, at + 110 + nameSize - 1);
    expect(archive[at + 110 + nameSize - 1]).toBe(0);
    const start = (at + 110 + nameSize + 3) & ~3;
    if (name === "TRAILER!!!") return found;
    found.set(name, { mode, content: archive.toString("utf8", start, start + size) });
    at = (start + size + 3) & ~3;
  }
}

test("files, directories and links come out as they went in", () => {
  const archive = cpioArchive([
    { name: "bin", kind: "directory" },
    { name: "bin/a", kind: "file", content: Buffer.from("12345") },
    { name: "etc", kind: "file", content: Buffer.from(""), mode: 0o600 },
    { name: "link", kind: "link", content: Buffer.from("bin/a") },
  ]);
  expect(read(archive)).toEqual(
    new Map([
      ["bin", { mode: 0o040755, content: "" }],
      ["bin/a", { mode: 0o100755, content: "12345" }],
      ["etc", { mode: 0o100600, content: "" }],
      ["link", { mode: 0o120755, content: "bin/a" }],
    ]),
  );
});
