/** Starts everything that the lab can start, says "ready", and waits to be killed. Argument: a directory for data. */
import { startBareQemu, startLibvirt, startNats, startRedis } from "@kvm-governor/lab";

const dir = process.argv[2] ?? "";
const libvirt = await startLibvirt();
await libvirt.defineAndStart({ name: "orphan", load: { percent: 50 } });
await startBareQemu({ name: "orphan" });
const nats = await startNats({ dir });
await startRedis({ dir });
nats.server.pause(); // the kernel must end it even so
process.stdout.write(`ready ${libvirt.cgroup}\n`);
setInterval(() => undefined, 1000);
