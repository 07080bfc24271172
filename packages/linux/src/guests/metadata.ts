/**
 * What an operator declared in a domain's own definition:
 *
 *     <metadata>
 *       <kvmgov:policy xmlns:kvmgov="https://kvm-governor.dev/xmlns/policy/1" class="service" slaCores="0.9" slaDelay="0.05"/>
 *     </metadata>
 */
import { checkContract, ContractError, declarationSchema } from "@kvm-governor/policy";
import type { Declared } from "@kvm-governor/policy";
import { childrenInNamespace } from "./xml.ts";
import type { XmlElement } from "./xml.ts";

export const POLICY_NAMESPACE = "https://kvm-governor.dev/xmlns/policy/1";

/** Attributes that are numbers. */
const AMOUNTS: ReadonlySet<string> = new Set(["slaCores", "slaDelay"]);
const DECIMAL = /^\d{1,5}(\.\d{1,6})?$/;

export interface MetadataResult {
  declared?: Declared;
  /** What is wrong with the declaration; `declared` then is `exempt`. */
  problem?: string;
}

/**
 * Reads the declaration of a `<metadata>` element. One that cannot be understood makes the guest exempt: whoever
 * wrote it wanted something, and nothing that we could do instead is known to be it.
 * @param ancestors elements around it, outermost first, for their namespace declarations
 */
export function declaredInMetadata(
  metadata: XmlElement | undefined,
  ancestors: readonly XmlElement[],
): MetadataResult {
  if (metadata === undefined) return {};
  const found = childrenInNamespace(metadata, POLICY_NAMESPACE, "policy", ancestors);
  const [policy] = found;
  if (policy === undefined) return {};
  if (found.length > 1) return refused("metadata: more than one policy element");
  try {
    const {
      class: declared,
      slaCores,
      slaDelay,
    } = checkContract(declarationSchema, policyAttributes(policy), "metadata policy");
    return {
      declared: {
        class: declared,
        ...(slaCores !== undefined && { slaCores }),
        ...(slaDelay !== undefined && { slaDelay }),
        source: "metadata",
      },
    };
  } catch (error) {
    if (error instanceof ContractError) return refused(error.message);
    throw error;
  }
}

function policyAttributes(policy: XmlElement): Record<string, unknown> {
  const entries = Object.entries(policy).flatMap(([key, value]) => {
    if (key === "#text" || key === "@xmlns" || key.startsWith("@xmlns:")) return [];
    const name = key.replace(/^@/, "");
    // Attributes are text; what is no number stays text and is refused as such.
    const isAmount = AMOUNTS.has(name) && typeof value === "string" && DECIMAL.test(value);
    return [[name, isAmount ? Number(value) : value]];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function refused(problem: string): MetadataResult {
  return { declared: { class: "exempt", source: "metadata (not valid)" }, problem };
}
