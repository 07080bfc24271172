/** Every write to the kernel, kept for people. */
export { auditFile } from "./files.ts";
export { AuditLog, type AuditEntry, type AuditOptions } from "./log.ts";
export { readAudit, type AuditFilter, type AuditPiece } from "./read.ts";
export { witnessOf, type AuditSubject } from "./witness.ts";
export { parseAudit, type AuditRecord } from "./records.ts";
