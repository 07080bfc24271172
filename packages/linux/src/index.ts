/** The kernel: guests, counters, control groups, affinity. Nothing else in the project opens /proc or /sys. */
export * from "./guests/guest.ts";
export * from "./native/libc.ts";
