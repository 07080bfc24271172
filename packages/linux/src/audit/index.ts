/** Every write to the kernel, kept for people. */
export { auditFile, AuditLog, type AuditEntry, type AuditOptions } from "./log.ts";
export { readAudit, type AuditFilter } from "./read.ts";
export { witnessOf, type AuditSubject } from "./witness.ts";
export { parseAudit, type AuditRecord } from "./records.ts";
