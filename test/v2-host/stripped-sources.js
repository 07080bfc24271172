/**
 * For Node on the test host: takes our sources as they are, since their types are stripped before they get there. V8 runs
 * without its compilers there (`--jitless`), and so without WebAssembly, which Node strips types with.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith(".ts")) return nextLoad(url, context);
    return { format: "module", source: readFileSync(new URL(url), "utf8"), shortCircuit: true };
  },
});
