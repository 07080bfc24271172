/** The output of kernel-state.sh as one value for each file, thread and property. */

/** By file, `affinity TID`, or `systemd UNIT PROPERTY`. */
export function parseKernelState(text: string): Record<string, string> {
  const state: Record<string, string> = {};
  const sections = text.split(/^==> (.*) <==\n/m).slice(1);
  for (let at = 0; at < sections.length; at += 2) {
    const name = sections[at] ?? "";
    const content = sections[at + 1] ?? "";
    if (name === "affinities") Object.assign(state, affinities(content));
    else if (name === "systemd") Object.assign(state, properties(content));
    // head(1) sets an empty line between two files.
    else if (name !== "/dev/null") state[name] = content.replace(/\n$/, "");
  }
  return state;
}

/** `/proc/PID/task/TID/status:Cpus_allowed_list:\tCPUS` */
function affinities(lines: string): Record<string, string> {
  const found = lines.matchAll(/^\/proc\/\d+\/task\/(\d+)\/status:Cpus_allowed_list:\t(.*)$/gm);
  return Object.fromEntries([...found].map(([, tid, cpus]) => [`affinity ${tid}`, cpus ?? ""]));
}

/** Units as `systemctl show` prints them: properties as `NAME=VALUE`, an empty line between two. */
function properties(text: string): Record<string, string> {
  const state: Record<string, string> = {};
  for (const unit of text.trim().split("\n\n")) {
    const pairs = unit.split("\n").map((line) => line.split(/=(.*)/s, 2) as [string, string]);
    const id = Object.fromEntries(pairs)["Id"] ?? "";
    for (const [name, value] of pairs) if (name !== "Id") state[`systemd ${id} ${name}`] = value;
  }
  return state;
}
