/** Archives as the kernel unpacks them for an initramfs: cpio, format "newc" (Documentation/driver-api/early-userspace/buffer-format.rst). */

/** A file, a directory (no content) or a symbolic link (its target as content). */
export interface Entry {
  /** Without a leading slash. */
  name: string;
  kind: "file" | "directory" | "link";
  content?: Uint8Array;
  /** Permissions. Default: 0755. */
  mode?: number;
}

const MAGIC = "070701";
const KIND_BITS = { file: 0o100000, directory: 0o040000, link: 0o120000 } as const;
const DEFAULT_MODE = 0o755;
const TRAILER = "TRAILER!!!";

/** Owner of everything is root. Directories have to come before what is in them. */
export function cpioArchive(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap((entry, at) =>
    record(entry.name, at + 1, KIND_BITS[entry.kind] | (entry.mode ?? DEFAULT_MODE), entry.content),
  );
  return Buffer.concat([...parts, ...record(TRAILER, 0, 0)]);
}

function record(
  name: string,
  inode: number,
  mode: number,
  content: Uint8Array = Buffer.alloc(0),
): Uint8Array[] {
  const links = 1;
  const nameBytes = Buffer.from(`${name}\0`);
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, nameBytes.length, 0];
  const header = Buffer.from(MAGIC + fields.map((value) => value.toString(16).padStart(8, "0")).join(""));
  return [padded(Buffer.concat([header, nameBytes])), padded(content)];
}

/** Every part begins at a multiple of four bytes. */
function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
