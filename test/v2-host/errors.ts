/** The test host could not be built, booted or asked; the message says where it stopped and what was seen last. */
export class V2HostError extends Error {
  override readonly name = "V2HostError";
}
