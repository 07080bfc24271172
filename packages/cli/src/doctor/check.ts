/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Of a server that nobody named. */
export const NOT_CONFIGURED = "not configured: kvmgov up starts one of its own on loopback";

/** One thing that the manager needs of a host. */
export interface Check {
  name: string;
  /** `warn`: it works, with less; `fail`: it does not work. */
  status: "ok" | "warn" | "fail";
  /** What was found. */
  reason: string;
  /** What to do; there unless all is well. */
  remedy?: string;
}

export const ok = (name: string, reason: string): Check => ({ name, status: "ok", reason });
export const warn = (name: string, reason: string, remedy: string): Check => ({
  name,
  status: "warn",
  reason,
  remedy,
});
export const fail = (name: string, reason: string, remedy: string): Check => ({
  name,
  status: "fail",
  reason,
  remedy,
});
