/** The Docker engine of a test, or an image for it, could not be made or asked; the message says what was seen last. */
export class EngineError extends Error {
  override readonly name = "EngineError";
}
