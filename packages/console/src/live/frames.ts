/** Reads a stream of server-sent events as far as the console sends them. Shared with the browser. */
export interface Frame {
  id: string | undefined;
  event: string;
  data: string;
}

/** Keeps what is not yet a whole frame. */
export class FrameReader {
  #rest = "";

  /** @param text the next part of the stream, cut anywhere */
  read(text: string): Frame[] {
    const parts = (this.#rest + text).split("\n\n");
    this.#rest = parts.pop() ?? "";
    return parts.map(frameOf);
  }
}

function frameOf(text: string): Frame {
  const frame: Frame = { id: undefined, event: "message", data: "" };
  for (const line of text.split("\n")) {
    const colon = line.indexOf(": ");
    const [field, value] = [line.slice(0, colon), line.slice(colon + 2)];
    if (field === "id") frame.id = value;
    else if (field === "event") frame.event = value;
    else if (field === "data") frame.data += value;
  }
  return frame;
}
