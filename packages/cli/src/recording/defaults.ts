/** Options of `kvmgov record`, as typed: seconds, MiB, hours, MiB. */
export const RECORD_DEFAULTS = { block: "10", fileSize: "64", fileAge: "24", total: "1024" };
