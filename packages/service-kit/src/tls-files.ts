/** TLS towards a server: files named in the configuration. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { ConfigError } from "./config.ts";

export const tlsFilesSchema = z.strictObject({
  /** Certificates of who signed the server's, PEM; by default those that Node knows. */
  caFile: z.string().min(1).optional(),
  /** Own certificate, PEM, where the server asks for one. */
  certFile: z.string().min(1).optional(),
  /** Its key, PEM; readable by this service alone. */
  keyFile: z.string().min(1).optional(),
  /** Name that the server's certificate must have, where it is reached by another (an address, Sentinel, Cluster). */
  serverName: z.string().min(1).optional(),
});
/** The NATS client asks for the name that is in the address. */
export const natsTlsSchema = tlsFilesSchema.omit({ serverName: true });
export type NatsTls = z.output<typeof natsTlsSchema>;
export type TlsFiles = z.output<typeof tlsFilesSchema>;

/** In the words of node:tls. */
export interface TlsMaterial {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
}

/**
 * @param name of the configuration key, for errors
 * @throws {ConfigError} a file cannot be read, or a certificate without its key
 */
export function readTlsFiles(name: string, files: TlsFiles): TlsMaterial {
  const { caFile, certFile, keyFile, serverName } = files;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new ConfigError(`configuration: ${name}: certFile and keyFile go together`);
  }
  return {
    ...(caFile !== undefined && { ca: readPem(`${name}.caFile`, caFile) }),
    ...(certFile !== undefined && { cert: readPem(`${name}.certFile`, certFile) }),
    ...(keyFile !== undefined && { key: readPem(`${name}.keyFile`, keyFile) }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

function readPem(name: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError(`configuration: ${name}: ${(cause as Error).message}`, { cause });
  }
  if (!text.includes("-----BEGIN "))
    throw new ConfigError(`configuration: ${name}: ${file} is not in PEM form`);
  return text;
}
