/**
 * A host that is reached by ssh: a real sshd on a loopback port, in namespaces of its own, so that what is installed and started there is
 * not of this machine and ends with it. It sees none of this machine's processes, so no guest. Needs root.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { ensureTools, freePort, Server } from "@kvm-governor/lab";

const exec = promisify(execFile);

/** Directories that an installation writes to, as they are here, with writes that nobody else sees. */
const OVERLAID = ["/etc", "/usr/local", "/var/lib"];

export class SshHost {
  readonly server: Server;
  readonly id: string;
  readonly #dir: string;

  private constructor(server: Server, id: string, dir: string) {
    this.server = server;
    this.id = id;
    this.#dir = dir;
  }

  /** Hosts that one key opens. @param dir gets keys, logs, and what is installed */
  static async startAll(dir: string, ids: readonly string[]): Promise<SshHost[]> {
    await makeKey(path.join(dir, "client"));
    return Promise.all(ids.map((id) => SshHost.#start(dir, id)));
  }

  static async #start(dir: string, id: string): Promise<SshHost> {
    const own = path.join(dir, id);
    await mkdir(path.join(own, "opt"), { recursive: true });
    const tools = await ensureTools(["ssh"]);
    const sshd = tools.find("sshd");
    await makeKey(path.join(own, "host"));
    const listen = { collector: await freePort(), actuator: await freePort() };
    await writeFile(path.join(own, "systemctl"), SYSTEMCTL, { mode: 0o755 });
    const namespaces = [
      "--mount",
      "--propagation",
      "private",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
    ];
    const server = await Server.start({
      name: `sshd of ${id}`,
      program: {
        path: "unshare",
        args: [...namespaces, "sh", "-euc", setUp(own, listen), "sh"],
        env: sshd.env,
      },
      logFile: path.join(own, "sshd.log"),
      args: async (port) => {
        await writeFile(path.join(own, "sshd_config"), configuration(dir, own, port));
        return [sshd.path, "-D", "-e", "-f", path.join(own, "sshd_config")];
      },
      probe: async () => (await readFile(path.join(own, "sshd.log"), "utf8")).includes("listening on"),
    });
    return new SshHost(server, id, own);
  }

  /** Configuration for `ssh -F`, of all hosts by their ids. */
  static configuration(dir: string, hosts: readonly SshHost[]): string {
    const common = [
      `IdentityFile ${dir}/client`,
      "StrictHostKeyChecking no",
      `UserKnownHostsFile ${dir}/known`,
    ];
    const of = ({ id, server }: SshHost): string =>
      [
        `Host ${id}`,
        "HostName 127.0.0.1",
        `Port ${server.port}`,
        "User root",
        "LogLevel ERROR",
        ...common,
      ].join("\n");
    return `${hosts.map(of).join("\n")}\n`;
  }

  /** Runs a command line there, past ssh. @returns what it printed */
  async run(command: string): Promise<string> {
    const { stdout } = await exec("nsenter", [...this.#enter(await this.#init()), "sh", "-c", command]);
    return stdout;
  }

  /** What is installed, from outside. */
  get opt(): string {
    return path.join(this.#dir, "opt");
  }

  #enter(pid: string): string[] {
    return ["--target", pid, "--mount", "--pid"];
  }

  /** The first process of its namespaces: the only child of `unshare`. */
  async #init(): Promise<string> {
    const { pid } = this.server;
    return (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim();
  }
}

async function makeKey(file: string): Promise<void> {
  const { path: program } = (await ensureTools(["ssh"])).find("ssh-keygen");
  await exec(program, ["-q", "-t", "ed25519", "-N", "", "-f", file]);
}

function configuration(dir: string, own: string, port: number): string {
  return `ListenAddress 127.0.0.1
Port ${port}
HostKey ${own}/host
AuthorizedKeysFile ${dir}/client.pub
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
PidFile none
`;
}

/** Ends by becoming the program that is in the arguments. */
function setUp(own: string, listen: Record<string, number>): string {
  return `
mount -t tmpfs tmpfs /run
mkdir -p /run/overlay /run/sshd /run/systemd/system /run/units
for dir in ${OVERLAID.join(" ")}; do
  name=$(echo "$dir" | tr / _)
  mkdir -p "/run/overlay/$name/upper" "/run/overlay/$name/work"
  mount -t overlay overlay -o "lowerdir=$dir,upperdir=/run/overlay/$name/upper,workdir=/run/overlay/$name/work" "$dir"
done
mkdir -p /etc/kvm-governor /usr/local/bin
mount --bind ${own}/opt /opt
cp ${own}/systemctl /usr/local/bin/systemctl
grep -q ^sshd: /etc/passwd || echo 'sshd:x:64998:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
# An account that is locked may not log in by key either.
sed -i 's/^root:!/root:*/' /etc/shadow
echo 'listen: 127.0.0.1:${listen["collector"]}' >/etc/kvm-governor/collector.yaml
echo 'listen: 127.0.0.1:${listen["actuator"]}' >/etc/kvm-governor/actuator.yaml
exec "$@"
`;
}

/** What of systemctl a rollout needs, for a host without systemd: runs what the units say, with the environment that they name. */
const SYSTEMCTL = `#!/bin/sh
set -eu
units=/usr/local/lib/systemd/system
[ "$1" != --quiet ] || shift
action=$1
shift
setting() { sed -n "s/^$2=-\\{0,1\\}//p" "$units/$1.service"; }
for unit; do
  pidfile=/run/units/$unit.pid
  case $action in
  enable) ln -sf "$units/$unit.service" "/run/units/$unit.enabled" ;;
  is-active) [ -e "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null || exit 3 ;;
  restart)
    if [ -e "$pidfile" ]; then
      kill "$(cat "$pidfile")" 2>/dev/null || :
      while kill -0 "$(cat "$pidfile")" 2>/dev/null; do sleep 0.1; done
    fi
    set -a
    . "$(setting "$unit" EnvironmentFile)"
    eval "$(setting "$unit" Environment)"
    set +a
    setsid $(setting "$unit" ExecStart) >>"/run/units/$unit.log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    ;;
  *) echo "systemctl of the test: $action" >&2; exit 1 ;;
  esac
done
[ $# -gt 0 ] || [ "$action" = daemon-reload ]
`;
