/** Which addresses of metrics pages a host may register: its word decides where Prometheus sends requests, and its credentials. */
import { BlockList, isIP } from "node:net";
import { matchesName } from "@kvm-governor/policy";

/** An entry of the list is neither a network nor a pattern of names. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
}

/**
 * @param entries networks (`10.0.0.0/8`, `fd00::/8`), addresses, or patterns of host names (`*.example.com`); undefined: anything
 * @returns whether the host part of an address is on the list; a name is held against the patterns alone, never looked up
 * @throws {NetworkError} naming the entry
 */
export function allowedPages(entries: readonly string[] | undefined): (hostname: string) => boolean {
  if (entries === undefined) return () => true;
  const networks = new BlockList();
  const patterns: string[] = [];
  for (const entry of entries) {
    if (addNetwork(networks, entry)) continue;
    if (!/^[A-Za-z0-9*._-]+$/.test(entry) || /^[\d.]+$/.test(entry))
      throw new NetworkError(
        `${JSON.stringify(entry)} is no network, no address and no pattern of host names`,
      );
    patterns.push(entry.toLowerCase());
  }
  return (hostname) => {
    // URLs write IPv6 addresses in brackets.
    const bare = hostname.replace(/^\[(.*)\]$/, "$1");
    const family = isIP(bare);
    if (family !== 0) return networks.check(bare, family === 6 ? "ipv6" : "ipv4");
    return patterns.some((pattern) => matchesName(pattern, bare.toLowerCase()));
  };
}

/** @returns whether the entry was a network or an address */
function addNetwork(networks: BlockList, entry: string): boolean {
  const [address = "", length, ...more] = entry.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  const bits = family === 6 ? 128 : 32;
  const prefix = length === undefined ? bits : Number(length);
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > bits || length === "")
    throw new NetworkError(`${JSON.stringify(entry)}: the length of the prefix must be 0 to ${bits}`);
  networks.addSubnet(address, prefix, family === 6 ? "ipv6" : "ipv4");
  return true;
}
