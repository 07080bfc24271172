/** Writes docs/kvmgov.1 from the commands. */
import { writeFileSync } from "node:fs";
import { program } from "../../packages/cli/src/main.ts";
import { manPage } from "../../packages/cli/src/man-page.ts";

writeFileSync(new URL("../../docs/kvmgov.1", import.meta.url), manPage(program));
