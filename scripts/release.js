#!/usr/bin/env node
/** `npm run release [DIR]`: makes kvm-governor-VERSION-linux-ARCH.tar.gz in DIR (dist by default) and prints its path. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { log, main, ROOT } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";
import { run } from "./lib/run.js";

await main(async () => {
  await ensureNodeModules();
  const { makeTree } = await import("./release/tree.js");
  const out = path.resolve(process.argv[2] ?? path.join(ROOT, "dist"));
  await mkdir(out, { recursive: true });
  const staged = path.join(out, ".staged");
  const { version } = await makeTree(staged);
  const name = `kvm-governor-${version}-linux-${process.arch}`;
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
