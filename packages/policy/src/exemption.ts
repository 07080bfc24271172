/**
 * Which guests are left alone: the one answer for decision, actuator and logs.
 *
 * Dedicated, real-time and `cpu-pm` guests were set up by somebody who meant it. Only a declared *class* lifts that: a
 * rule that catches all guests to promise them something (`class: auto`, or an SLA alone) does not mean these.
 */
import type { Declared, ExemptReason } from "./contracts/sample.ts";

/** @returns why the guest is left alone, `declared` or what it is; undefined: it is managed */
export function exemptionBy(
  declared: Pick<Declared, "class">,
  reason: ExemptReason | undefined,
): "declared" | ExemptReason | undefined {
  switch (declared.class) {
    case "exempt":
      return "declared";
    case "auto":
      return reason;
    case "service":
    case "scientific":
      return undefined;
  }
}
