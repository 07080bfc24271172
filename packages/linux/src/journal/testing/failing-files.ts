/** A file layer the operations of which fail on demand, as on a disk that is full. */
import { NODE_FILES, type FileLayer } from "../file-layer.ts";

type Operation = keyof FileLayer;

export class FailingFiles implements FileLayer {
  /** Operations that were asked for, in order. */
  readonly asked: Operation[] = [];
  /** Errno with which an operation fails, or undefined where it works; asked with its number, from 0. */
  fails: (operation: Operation, at: number) => string | undefined = () => undefined;
  /** A write that fails has put so many bytes there before. */
  bytesBefore = 0;

  openAppend(file: string): { descriptor: number; length: number } {
    return this.#try("openAppend", () => NODE_FILES.openAppend(file));
  }
  write(descriptor: number, bytes: Uint8Array): number {
    const put = (): number => NODE_FILES.write(descriptor, bytes.subarray(0, this.bytesBefore));
    return this.#try("write", () => NODE_FILES.write(descriptor, bytes), put);
  }
  sync(descriptor: number): void {
    this.#try("sync", () => NODE_FILES.sync(descriptor));
  }
  truncate(descriptor: number, length: number): void {
    this.#try("truncate", () => NODE_FILES.truncate(descriptor, length));
  }
  close(descriptor: number): void {
    NODE_FILES.close(descriptor);
  }
  writeWhole(file: string, bytes: Uint8Array): void {
    this.#try("writeWhole", () => NODE_FILES.writeWhole(file, bytes));
  }
  rename(from: string, to: string): void {
    this.#try("rename", () => NODE_FILES.rename(from, to));
  }
  remove(file: string): void {
    this.#try("remove", () => NODE_FILES.remove(file));
  }
  syncDirectory(dir: string): void {
    this.#try("syncDirectory", () => NODE_FILES.syncDirectory(dir));
  }
  endsWithNewline(file: string): boolean {
    return this.#try("endsWithNewline", () => NODE_FILES.endsWithNewline(file));
  }

  #try<T>(operation: Operation, action: () => T, before?: () => unknown): T {
    const at = this.asked.length;
    this.asked.push(operation);
    const code = this.fails(operation, at);
    if (code === undefined) return action();
    before?.();
    throw Object.assign(new Error(`${code}: ${operation}`), { code });
  }
}
