/** Debian's exporter of libvirt's figures to Prometheus: a peer to measure against. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Libvirt } from "./libvirt.ts";
import { Server } from "./server.ts";
import { ensureTools } from "./tools.ts";

export interface LibvirtExporterOptions {
  /** For its log; kept at the end, the caller's to remove. */
  dir: string;
  /** Whose guests it shows. */
  libvirt: Pick<Libvirt, "uri">;
  log?: (line: string) => void;
}

export interface LibvirtExporter {
  server: Server;
  /** Of its page. */
  url: string;
}

/** Starts it on a free loopback port. Throws LabError or ToolboxError. */
export async function startLibvirtExporter(options: LibvirtExporterOptions): Promise<LibvirtExporter> {
  const { dir, libvirt, log } = options;
  const tools = await ensureTools(["exporter"], log === undefined ? {} : { log });
  await mkdir(dir, { recursive: true });
  const urlOf = (port: number): string => `http://127.0.0.1:${port}/metrics`;
  const server = await Server.start({
    name: "prometheus-libvirt-exporter",
    program: tools.find("prometheus-libvirt-exporter"),
    logFile: path.join(dir, "prometheus-libvirt-exporter.log"),
    args: (port) => [`--libvirt.uri=${libvirt.uri}`, `--web.listen-address=127.0.0.1:${port}`],
    probe: async (port) => /^libvirt_up 1$/m.test(await (await fetch(urlOf(port))).text()),
  });
  return { server, url: urlOf(server.port) };
}
