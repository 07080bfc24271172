/**
 * What operators declare about guests in the policy file:
 *
 *     rules:
 *       - match: { uuid: 6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11 }
 *         class: exempt
 *       - match: { name: "web-*" }
 *         class: service
 *         slaCores: 0.9
 *         slaDelay: 0.05
 *
 * A declaration also stands in a guest's own libvirt metadata. The order, strongest first:
 *
 * 1. a rule by **UUID**. It names this one guest, in the file of the people who run this host: their last word, without
 *    having to edit a domain that an orchestrator owns and writes again.
 * 2. the guest's **metadata**. It also names one guest, and only who may define domains writes it. No tenant does.
 * 3. a rule by **name**. It is meant for many, and names may be the tenant's: whoever calls a guest `web-gold` must not
 *    override what its operator wrote into its definition.
 *
 * Within 1 and 3 the first rule that matches wins. Declarations are taken whole, never mixed from several.
 */
import { z } from "zod";
import { cores, declaredClass, guestUuid, slaDelay } from "./contracts/fields.ts";
import type { DeclaredClass } from "./contracts/fields.ts";
import type { Declared } from "./contracts/sample.ts";
import { matchesName } from "./name-pattern.ts";

const declarationFields = {
  /** CPU promised to the guest, in cores. */
  slaCores: cores.positive("must be more than 0").optional(),
  /** Largest part of the time that the guest's vCPUs may wait to run, in 99 of 100 check periods. */
  slaDelay: slaDelay.optional(),
};

/** Only services are promised not to wait; a guest of class `auto` is as long as it is one. */
const delayIsForServices = {
  check: (declared: { class?: DeclaredClass | undefined; slaDelay?: number | undefined }): boolean =>
    declared.slaDelay === undefined || (declared.class !== "scientific" && declared.class !== "exempt"),
  problem: { message: "is for services: not for class scientific or exempt", path: ["slaDelay"] },
};

/** What a declaration says, wherever it stands. `class: auto` lets the class be inferred. */
export const declarationSchema = z
  .strictObject({ class: declaredClass.default("auto"), ...declarationFields })
  .refine(delayIsForServices.check, delayIsForServices.problem);
export type Declaration = z.infer<typeof declarationSchema>;

const anyCaseUuid = z.string().toLowerCase().pipe(guestUuid);

const matchSchema = z
  .strictObject({
    /** See {@link matchesName}. */
    name: z.string().min(1).max(1024).optional(),
    uuid: anyCaseUuid.optional(),
  })
  .refine(
    (match) => (match.name === undefined) !== (match.uuid === undefined),
    "must have either name or uuid",
  );

export const policyRuleSchema = z
  .strictObject({
    match: matchSchema,
    class: declaredClass.optional(),
    ...declarationFields,
  })
  .refine(
    (rule) => rule.class !== undefined || rule.slaCores !== undefined || rule.slaDelay !== undefined,
    "declares none of class, slaCores, slaDelay",
  )
  .refine(delayIsForServices.check, delayIsForServices.problem);
export type PolicyRule = z.infer<typeof policyRuleSchema>;

export const policyRulesSchema = z.strictObject({
  rules: z.array(policyRuleSchema).max(100_000).default([]),
});
export type PolicyRules = z.infer<typeof policyRulesSchema>;

/** No rules: every guest is `auto`, or what its metadata says. */
export const NO_RULES: PolicyRules = { rules: [] };

/**
 * What is declared for a guest, by the order above.
 * @returns with `source` (`metadata`, `rule 2`: counted from 1 in the file); without it nothing is declared
 */
export function declaredFor(
  guest: { uuid: string; name: string; metadata?: Declared | undefined },
  { rules }: PolicyRules,
): Declared {
  const byUuid = rules.findIndex((rule) => rule.match.uuid === guest.uuid);
  if (byUuid >= 0) return declarationOf(rules, byUuid);
  if (guest.metadata !== undefined) return guest.metadata;
  const byName = rules.findIndex(
    ({ match }) => match.name !== undefined && matchesName(match.name, guest.name),
  );
  return byName >= 0 ? declarationOf(rules, byName) : { class: "auto" };
}

function declarationOf(rules: readonly PolicyRule[], at: number): Declared {
  const { class: declared = "auto", slaCores, slaDelay: delay } = rules[at] ?? {};
  return {
    class: declared,
    ...(slaCores !== undefined && { slaCores }),
    ...(delay !== undefined && { slaDelay: delay }),
    source: `rule ${at + 1}`,
  };
}
