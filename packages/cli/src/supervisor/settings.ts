/**
 * Settings that `kvmgov up` hands on to the services, checked as the services will check them: a slip is told at once and by the name that
 * was typed, not by a service that ends again and again. What a file says (KVMGOV_CONFIG) the services check themselves.
 */
import path from "node:path";
import { PolicyFile } from "@kvm-governor/linux";
import { settingsConflict, settingsSchema } from "@kvm-governor/policy";
import { ConfigError, loadConfig } from "@kvm-governor/service-kit";

export interface SettingsFlags {
  preset?: string;
  period?: string;
  alpha?: string;
  beta?: string;
  policy?: string;
}

/** What was asked for cannot be; the message names the option or variable. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

export interface GivenSettings {
  /** KVMGOV_ variables for the services, without the prefix. */
  variables: Record<string, string | undefined>;
  /** How long a plan holds without being renewed, in milliseconds. */
  planTtlMs: number;
}

const OPTIONS = { PRESET: "preset", CHECK_PERIOD_MS: "period", ALPHA: "alpha", BETA: "beta" } as const;

/**
 * @param env variables, above which the options rank
 * @throws {SettingsError} {PolicyFileError} nothing was started
 */
export function givenSettings(flags: SettingsFlags, env: NodeJS.ProcessEnv): GivenSettings {
  const variables = Object.fromEntries(Object.entries(OPTIONS).map(([name, flag]) => [name, flags[flag]]));
  const { planTtlMs } = checked(variables, env);
  // The services run in another directory.
  const policyFile = flags.policy === undefined ? undefined : path.resolve(flags.policy);
  new PolicyFile(policyFile ?? (env["KVMGOV_POLICY_FILE"] || undefined)).read();
  return { variables: { ...variables, POLICY_FILE: policyFile }, planTtlMs };
}

function checked(variables: GivenSettings["variables"], env: NodeJS.ProcessEnv): { planTtlMs: number } {
  const { KVMGOV_CONFIG: _file, ...given } = env;
  for (const [name, value] of Object.entries(variables))
    if (value !== undefined) given[`KVMGOV_${name}`] = value;
  try {
    const settings = loadConfig(settingsSchema, { env: given });
    const conflict = settingsConflict(settings);
    if (conflict !== undefined) throw new SettingsError(`${conflict} (--period, KVMGOV_PLAN_TTL_MS)`);
    return settings;
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new SettingsError(byOption(cause.message, variables), { cause });
  }
}

/** Names what was typed, where an option and not a variable is wrong. */
function byOption(message: string, variables: GivenSettings["variables"]): string {
  let text = message;
  for (const [name, flag] of Object.entries(OPTIONS)) {
    const value = variables[name];
    if (value === undefined) continue;
    text = text.replaceAll(`environment variable KVMGOV_${name}:`, `--${flag} ${JSON.stringify(value)}:`);
  }
  return text;
}
