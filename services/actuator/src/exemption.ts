/** Guests that are never written to, decided on this host, whatever a plan says. */
import type { Guest } from "@kvm-governor/linux";
import { declaredFor, exemptionBy, matchesName, type PolicyRules } from "@kvm-governor/policy";

export interface ExemptionRules {
  rules: PolicyRules;
  /** UUIDs or name patterns. */
  neverTouch: readonly string[];
}

/** @returns why the guest is left alone, or undefined */
export function exemptionOf(guest: Guest, { rules, neverTouch }: ExemptionRules): string | undefined {
  if (guest.pid === process.pid) return "it is this process itself";
  const listed = neverTouch.find(
    (entry) => entry.toLowerCase() === guest.uuid || matchesName(entry, guest.name),
  );
  if (listed !== undefined) return `neverTouch names it (${listed})`;
  const declared = declaredFor(guest, rules);
  const why = exemptionBy(declared, guest.exemptReason);
  if (why === undefined) return undefined;
  return why === "declared"
    ? `declared exempt (${declared.source ?? "policy"})`
    : `exempt by default: ${why}`;
}
