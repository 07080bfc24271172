/** A guest of the paper's experiment could not be made, started or asked. */
export class PaperGuestError extends Error {
  override readonly name = "PaperGuestError";
}
