/**
 * A process with very many light threads, for benchmarks: POSIX threads that sleep and wake, made without a compiler by a
 * few bytes of machine code. Arguments: number of threads, milliseconds between wakings, number of threads to be named as
 * QEMU names vCPUs. Prints `{pid, tids}`, vCPUs first, and lives until its standard input ends.
 */
import { readdirSync, writeFileSync } from "node:fs";
import koffi from "koffi";

/** `for (;;) nanosleep(argument, NULL);` */
const SLEEP_FOR_EVER: Readonly<Partial<Record<NodeJS.Architecture, number[]>>> = {
  x64: [0x48, 0x89, 0xfb, 0xb8, 35, 0, 0, 0, 0x48, 0x89, 0xdf, 0x31, 0xf6, 0x0f, 0x05, 0xeb, 0xf2],
  arm64: [
    ...[0xf3, 0x03, 0x00, 0xaa, 0xa8, 0x0c, 0x80, 0xd2, 0xe0, 0x03, 0x13, 0xaa],
    ...[0x01, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0xfc, 0xff, 0xff, 0x17],
  ],
};
const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const PAGE = 4096;

const libc = koffi.load("libc.so.6");
const mmap = libc.func(
  "uintptr_t mmap(uintptr_t at, size_t length, int prot, int flags, int fd, long offset)",
);
const mprotect = libc.func("int mprotect(uintptr_t at, size_t length, int prot)");
const memcpy = libc.func("uintptr_t memcpy(uintptr_t to, const void *from, size_t length)");
const pthreadCreate = libc.func(
  "int pthread_create(void *id, void *attributes, uintptr_t start, uintptr_t argument)",
);

function mapped(bytes: Buffer): number {
  const at = mmap(0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) as number;
  if (at <= 0) throw new Error(`mmap: errno ${koffi.errno()}`);
  memcpy(at, bytes, bytes.length);
  return at;
}

function timespec(ms: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(Math.floor(ms / 1000)), 0);
  bytes.writeBigInt64LE(BigInt(Math.round((ms % 1000) * 1e6)), 8);
  return bytes;
}

const [count, wakeMs, vcpus = 0] = process.argv.slice(2, 5).map(Number);
const code = SLEEP_FOR_EVER[process.arch];
if (count === undefined || wakeMs === undefined)
  throw new Error("usage: thread-farm-child COUNT WAKE_MS VCPUS");
if (code === undefined) throw new Error(`no machine code for ${process.arch}`);

const start = mapped(Buffer.from(code));
const argument = mapped(timespec(wakeMs));
if (mprotect(start, PAGE, PROT_READ_EXEC) !== 0) throw new Error(`mprotect: errno ${koffi.errno()}`);
const own = new Set(readdirSync("/proc/self/task"));
for (let made = 0; made < count; made++) {
  const error = pthreadCreate(Buffer.alloc(8), null, start, argument) as number;
  if (error !== 0) throw new Error(`pthread_create of thread ${made}: errno ${error}`);
}
const tids = readdirSync("/proc/self/task").filter((tid) => !own.has(tid));
for (const [index, tid] of tids.slice(0, vcpus).entries()) {
  writeFileSync(`/proc/self/task/${tid}/comm`, `CPU ${index}/KVM`);
}
process.stdout.write(`${JSON.stringify({ pid: process.pid, tids: tids.map(Number) })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
