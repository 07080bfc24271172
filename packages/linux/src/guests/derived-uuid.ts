/** UUIDs for guests that have none. */
import { createHash } from "node:crypto";

/** Namespace of our own for names of guests (RFC 9562, section 5.5); never changes. */
const NAMESPACE = "9c5b0e3a-41d6-5d5e-8f6f-6b766d676f76";

/**
 * UUIDv5 of a guest that was started without `-uuid`: the same for the same name on the same boot of the same host,
 * so that a restarted guest keeps its class, and never that of a guest on another host.
 * @param identity what tells the guest from others of its host: its name, Proxmox's VM id, or process and start time
 */
export function deriveUuid(bootId: string, identity: string): string {
  const hash = createHash("sha1")
    .update(Buffer.from(NAMESPACE.replaceAll("-", ""), "hex"))
    .update(`${bootId}\n${identity}`)
    .digest()
    .subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
