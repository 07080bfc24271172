/** Commands whose modules are loaded when they run: `kvmgov version` waits for neither NATS' client nor the lab. */

type Run<Flags> = (flags: Flags) => Promise<number>;

/** The command that `load` gives, loaded once it is called. */
export function late<Flags>(load: () => Promise<Run<Flags>>): Run<Flags> {
  return async (flags) => (await load())(flags);
}
