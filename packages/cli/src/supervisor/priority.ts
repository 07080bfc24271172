/**
 * The manager runs before the guests it manages: it needs little CPU, but at once. On a host whose CPUs are all busy, a
 * sample passes through five processes before its plan is applied, and each would wait its turn among the guests.
 */
const NICE = "-10";

/** The command line that runs a command at our priority; as it is, where that is not allowed. */
export function beforeGuests(
  command: readonly [string, ...string[]],
  isRoot = process.getuid?.() === 0,
): readonly [string, ...string[]] {
  return isRoot ? ["nice", "-n", NICE, ...command] : command;
}
