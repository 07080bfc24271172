#!/usr/bin/env node
/** Checks that imports go only in the allowed directions; prints each that does not. The rules are in lib/import-rules.js. */
import { findViolations } from "./lib/import-rules.js";
import { ROOT } from "./lib/launch.js";

const { files, violations } = findViolations(ROOT);
for (const violation of violations) console.error(violation);
if (files === 0) console.error("no source files found: this check checks nothing");
process.exitCode = violations.length > 0 || files === 0 ? 1 : 0;
