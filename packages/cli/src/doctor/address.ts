/** Addresses of servers, as configured and as shown to people. */
import { NoAnswerError } from "./ask-server.ts";
import type { Address } from "./ask-server.ts";

/**
 * @param port where the address has none
 * @param tlsProtocols those that ask for TLS, with their colon
 * @throws {NoAnswerError} not an address
 */
export function addressOf(url: string, port: number, tlsProtocols: readonly string[]): Address {
  if (!URL.canParse(url)) throw new NoAnswerError("is not an address");
  const { hostname, port: given, protocol } = new URL(url);
  return {
    host: hostname.replaceAll(/[[\]]/g, ""),
    port: given === "" ? port : Number(given),
    tls: tlsProtocols.includes(protocol),
  };
}

export const where = ({ host, port }: Address): string => `${host}:${port}`;

export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//…@");
}

export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
