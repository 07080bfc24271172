/** Something in the lab (a guest, a server, a private libvirt) could not be started, steered or stopped. */
export class LabError extends Error {
  override readonly name = "LabError";
}
