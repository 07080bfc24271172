/** What a recording is replayed under: settings, and rules that declare guests otherwise than they were. */
import { declaredFor, policyRulesSchema, settingsSchema } from "@kvm-governor/policy";
import type { PolicyRules, Sample, Settings } from "@kvm-governor/policy";
import { loadConfig } from "@kvm-governor/service-kit";

export interface ReplayPolicy {
  /** Names it in what is printed. */
  name: string;
  settings: Settings;
  /** None: guests are declared as they were recorded. */
  rules: PolicyRules["rules"];
}

const fileSchema = settingsSchema.extend({ rules: policyRulesSchema.shape.rules });

/**
 * Reads a file with keys of the settings (`preset`, `alpha`, ... as in the classifier's configuration) and `rules` (as
 * in the policy file). A key that it lacks has its default, not what was recorded.
 * @throws {ConfigError} naming file, line and key
 */
export function readReplayPolicy(file: string): ReplayPolicy {
  const { rules, ...settings } = loadConfig(fileSchema, { env: {}, file });
  return { name: file, settings, rules };
}

/** A sample with its guests declared by these rules; declarations in a guest's own metadata stay. */
export function redeclared(sample: Sample, rules: ReplayPolicy["rules"]): Sample {
  if (rules.length === 0) return sample;
  return {
    ...sample,
    guests: sample.guests.map((guest) => {
      const { declared, uuid, name } = guest;
      const metadata = declared.source === "metadata" ? { metadata: declared } : {};
      return { ...guest, declared: declaredFor({ uuid, name, ...metadata }, { rules }) };
    }),
  };
}
