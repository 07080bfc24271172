/** The first values found, and the way back to them. */
export { isAbandoned, msToNextLook } from "./abandoned.ts";
export { captureBaseline, type NewBaseline } from "./capture.ts";
export type { JournalEntry } from "./entries.ts";
export { inheritedBaselines } from "./inherited.ts";
export { giveable } from "./online.ts";
export { HoldingMark } from "./holding-mark.ts";
export { HostLock, HostLockedError, readLockHolder, startTimeOf, type LockHolder } from "./host-lock.ts";
export {
  Journal,
  journalFile,
  JournalError,
  LaterJournalError,
  readJournalEntries,
  type JournalOpening,
} from "./journal.ts";
export type { GuestRun, JournalDamage } from "./records.ts";
export { restoreGuest, type GuestRestore, type RestoreContext } from "./restore-guest.ts";
export { isJournalWhole, restore, type RestoreOptions, type RestoreReport } from "./restore.ts";
export { takeOver, TakeOverError, type TakeOverReport } from "./take-over.ts";
export * from "./heartbeat.ts";
export { NODE_FILES, type FileLayer } from "./file-layer.ts";
export { GUARD_SILENCE_MS_MAX, hasGuard, removeGuardMark, writeGuardMark } from "./guard-mark.ts";
export {
  HandsOff,
  HandsOffError,
  handsOffFile,
  putHandsOff,
  readHandsOff,
  releaseHandsOff,
} from "./hands-off.ts";
export { readPageMark, writePageMark } from "./page-mark.ts";
export { LiveProcesses } from "./live-processes.ts";
export { rebaseOn, type BaselineChange, type RebaseInput } from "./rebase.ts";
