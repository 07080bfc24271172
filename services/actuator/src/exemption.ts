/** Guests that are never written to, decided on this host, whatever a plan says. */
import type { Guest, HandsOff } from "@kvm-governor/linux";
import { declaredFor, exemptionBy, matchesName, type PolicyRules } from "@kvm-governor/policy";
import { isRolledOut } from "./limits/index.ts";

export interface ExemptionRules {
  rules: PolicyRules;
  /** UUIDs or name patterns. */
  neverTouch: readonly string[];
  rollOutPercent: number;
  /** Guests that an operator took back by hand, until they are released. */
  handsOff: HandsOff | undefined;
}

/** Why a guest is left alone; `code` for metrics. */
export interface Exemption {
  code: "exempt" | "operator" | "roll-out";
  reason: string;
}

export function exemptionOf(guest: Guest, exemptions: ExemptionRules): Exemption | undefined {
  const { handsOff, rollOutPercent } = exemptions;
  if (handsOff?.covers(guest) === true) {
    return { code: "operator", reason: "an operator took it back (`kvmgov resume` lets it go on)" };
  }
  const reason = declaredExempt(guest, exemptions);
  if (reason !== undefined) return { code: "exempt", reason };
  if (isRolledOut(guest.uuid, rollOutPercent)) return undefined;
  return {
    code: "roll-out",
    reason: `it is not among the first ${rollOutPercent}% of guests (rollOutPercent)`,
  };
}

function declaredExempt(guest: Guest, { rules, neverTouch }: ExemptionRules): string | undefined {
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
