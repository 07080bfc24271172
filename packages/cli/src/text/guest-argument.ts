const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A guest as people name it: a UUID in any case is the one that libvirt prints; a name is taken to the letter. */
export function guestArgument(text: string): string;
export function guestArgument(text: string | undefined): string | undefined;
export function guestArgument(text: string | undefined): string | undefined {
  return text !== undefined && UUID.test(text) ? text.toLowerCase() : text;
}

/** Whether a guest is the one that was asked for; without a wish all are. */
export function isWanted(
  { uuid, name }: { uuid: string; name: string },
  wanted: string | undefined,
): boolean {
  return wanted === undefined || wanted === uuid || wanted === name;
}
