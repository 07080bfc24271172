/** sd_notify(3): tells systemd that a service is ready, and that it is alive (`WatchdogSec=`). Node has no datagrams on Unix sockets. */
import { libc, SyscallError } from "./libc.ts";

const socket = libc.func("int socket(int domain, int type, int protocol)");
const sendto = libc.func(
  "long sendto(int fd, const void *data, size_t size, int flags, const void *address, uint32_t addressSize)",
);

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** A systemd that does not read must not hold up who writes to guests; and no SIGPIPE. */
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SUN_PATH_BYTES = 108;

/** NOTIFY_SOCKET names what no Unix socket can be. */
export class NotifySocketError extends Error {
  override readonly name = "NotifySocketError";
}

/** Sends lines such as `READY=1` or `WATCHDOG=1`. */
export type SystemdNotify = (state: string) => void;

/**
 * @param target value of NOTIFY_SOCKET: a path, or `@name` for an abstract socket; absent: nobody waits for anything
 * @returns sends one message; what cannot be sent is lost, as nothing may wait for it
 * @throws {NotifySocketError} neither a path nor an abstract name, or too long for one
 * @throws {SyscallError} no socket could be made (EMFILE)
 */
export function systemdNotifier(target: string | undefined): SystemdNotify {
  if (target === undefined || target === "") return () => undefined;
  const address = addressOf(target);
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number;
  if (fd < 0) throw new SyscallError("socket", "AF_UNIX");
  return (state) => {
    const data = Buffer.from(state);
    sendto(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
  };
}

/** struct sockaddr_un (unix(7)): family, then the path, with a zero byte in place of an abstract name's `@`. */
function addressOf(target: string): Buffer {
  if (!/^[/@]./.test(target)) throw new NotifySocketError(`NOTIFY_SOCKET is ${target}: no path, no @name`);
  const name = Buffer.from(target);
  if (name.length >= SUN_PATH_BYTES)
    throw new NotifySocketError(`NOTIFY_SOCKET is ${name.length} bytes long`);
  if (target.startsWith("@")) name[0] = 0;
  // In the machine's own byte order: both architectures that are supported are little-endian.
  const family = Buffer.from([AF_UNIX, 0]);
  // The length tells an abstract name's end; a path ends at its zero byte.
  return Buffer.concat(target.startsWith("@") ? [family, name] : [family, name, Buffer.alloc(1)]);
}
