/**
 * Whether the services of this host are well, for rollout.sh: their units run, and their pages say that they are ready. Says what is wrong, and
 * exits with 1. Comes to the host by ssh and runs under the release's own Node: `node --input-type=module - UNIT...`
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const TIMEOUT_MS = 5000;
/** Where the pages are unless the configuration says otherwise (docs/configuration.md). @type {Record<string, string>} */
const LISTEN = { collector: "127.0.0.1:9471", actuator: "127.0.0.1:9473", classifier: "127.0.0.1:9472" };

const problems = await Promise.all(process.argv.slice(2).map(problemOf));
const found = problems.filter((problem) => problem !== undefined);
for (const problem of found) console.error(problem);
process.exitCode = found.length === 0 ? 0 : 1;

/**
 * @param {string} unit
 * @returns {Promise<string | undefined>}
 */
async function problemOf(unit) {
  const service = unit.replace(/^kvm-governor-/, "");
  try {
    execFileSync("systemctl", ["--quiet", "is-active", unit]);
  } catch (error) {
    return `${unit} does not run (${String(error)})`;
  }
  const url = `http://${listenAddress(service)}/-/ready`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.ok ? undefined : `${service} is not ready: ${await response.text()}`;
  } catch (error) {
    return `${service} does not answer at ${url}: ${String(error)}`;
  }
}

/** @param {string} service */
function listenAddress(service) {
  const text = readFileSync(`/etc/kvm-governor/${service}.yaml`, "utf8");
  const listen = /^listen: *["']?([^"'\s#]+)/m.exec(text)?.[1] ?? LISTEN[service] ?? "";
  // Who listens on every address answers on the loopback one.
  return listen.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");
}
