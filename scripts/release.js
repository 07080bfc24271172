#!/usr/bin/env node
/**
 * `npm run release -- [--arch x64|arm64] [DIR]`: makes kvm-governor-VERSION-linux-ARCH.tar.gz in DIR (dist by default) and prints its
 * path. By default for this machine's processor; Node and koffi's binary for another one come from the registry.
 */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { log, main, ROOT } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";
import { run } from "./lib/run.js";

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { arch: { type: "string", default: process.arch } },
  });
  const { arch } = values;
  await ensureNodeModules();
  const { makeTree } = await import("./release/tree.js");
  const out = path.resolve(positionals[0] ?? path.join(ROOT, "dist"));
  await mkdir(out, { recursive: true });
  const staged = path.join(out, ".staged");
  const { version } = await makeTree(staged, arch);
  const name = `kvm-governor-${version}-linux-${arch}`;
  const file = path.join(out, `${name}.tar.gz`);
  log(`packing ${name}`);
  // The same commit gives the same bytes: names sorted, no owner, no time.
  const same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--mode=u+w,go-w"];
  await run("tar", [
    ...same,
    `--transform=s,^\\./,${name}/,`,
    "-I",
    "gzip -n -1",
    "-cf",
    file,
    "-C",
    staged,
    "./",
  ]);
  await run("rm", ["-rf", staged]);
  console.log(file);
  return 0;
});
