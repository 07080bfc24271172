/**
 * The configuration reference: keys, types, bounds and defaults from the zod schemas, what they mean from the comments that stand
 * above these very keys in the sources. So each is said in one place; a key without a comment is an error.
 */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format } from "prettier";
import { z } from "zod";
import { policyRuleSchema } from "../../packages/policy/src/index.ts";
import { environmentName } from "../../packages/service-kit/src/index.ts";
import { actuatorSchema } from "../../services/actuator/src/config.ts";
import { configSchema as classifierSchema } from "../../services/classifier/src/config.ts";
import { configSchema as collectorSchema } from "../../services/collector/src/config.ts";
import { SchemaComments } from "./schema-comments.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COMMON = [
  "packages/service-kit/src/common-config.ts",
  "packages/service-kit/src/tls-files.ts",
  "packages/service-kit/src/bus/stream-settings.ts",
  "packages/policy/src/settings.ts",
];

/** Defaults that depend on the machine. */
const COMPUTED = { hostId: "from /etc/machine-id" } as const;

/** A key that nobody says the meaning of. */
export class UndescribedKeyError extends Error {
  override readonly name = "UndescribedKeyError";
}

interface JsonSchema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  default?: unknown;
}

export async function configurationPage(): Promise<string> {
  const sections = [
    section("collector", collectorSchema, "configSchema"),
    section("classifier", classifierSchema, "configSchema"),
    section("actuator", actuatorSchema, "actuatorSchema"),
  ];
  return format([HEAD, ...sections, RULES, rulesTable()].join("\n"), { parser: "markdown", printWidth: 110 });
}

const HEAD = `# Configuration

<!-- Made from the schemas by test/docs/configuration.ts: do not edit. -->

Each service reads a YAML file, which \`KVMGOV_CONFIG\` names, and environment variables, which win over it: the key
\`checkPeriodMs\` is \`KVMGOV_CHECK_PERIOD_MS\`. An unknown key or a wrong value is an error that names file, line and key, and the
service does not start. On SIGHUP the classifier reads its settings (thresholds, period, preset) and \`logLevel\` again, the actuator \`limits\`, \`neverTouch\`,
\`onDrift\`, \`onStop\` and the policy file, the collector the policy file; other keys need a restart. What cannot be used changes nothing, and is told by the
log and by a metric: \`kvmgov_config_last_reload_successful\` of classifier and actuator, \`kvmgov_collector_policy_file_valid\`. \`kvmgov up\` passes its environment on to the services. Traces are configured by the variables of OpenTelemetry
(\`OTEL_*\`, environment alone): see [tracing](tracing.md#variables).

CPU amounts are in cores, times end in their unit.
`;

const RULES = `## Policy file

\`rules\` is a list; each rule has \`match\` and declares a class, an SLA (CPU, delay) or both. A rule by UUID wins over the guest's libvirt metadata, and
that over a rule by name (\`*\` stands for anything). Within a kind the first that matches wins.
`;

/** @param root name of the schema in its source */
function section(name: string, schema: z.ZodObject, root: string): string {
  const files = [
    ...globSync(`services/${name}/src/**/{config,schema,*-config}.ts`, { cwd: ROOT }).toSorted(),
    ...COMMON,
  ];
  const comments = new SchemaComments(files.map((file) => readFileSync(`${ROOT}/${file}`, "utf8")));
  const rows = rowsOf(jsonSchema(schema), "", (key) => {
    const comment = comments.of(root, key.replaceAll("[]", "").split("."));
    if (comment === undefined)
      throw new UndescribedKeyError(`${name}: ${key} has no comment above it in its schema`);
    return comment;
  });
  return `## ${name}\n\n${table(rows, true)}\n`;
}

function rulesTable(): string {
  const meanings: Record<string, string> = {
    "match.name": "pattern of names; either this or `uuid`",
    "match.uuid": "UUID of one guest",
    class: "`auto`: inferred from its use; `exempt`: never touched",
    slaCores: "CPU promised to the guest, in cores",
    slaDelay:
      "for services: largest part of the time that its vCPUs may wait to run, in 99 of 100 check periods (preset `default`)",
  };
  const describeRule = (key: string): string => {
    const text = meanings[key];
    if (text === undefined) throw new UndescribedKeyError(`policy rule: ${key} is not described`);
    return text;
  };
  return table(rowsOf(jsonSchema(policyRuleSchema), "", describeRule), false);
}

const jsonSchema = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;

interface Row {
  key: string;
  type: string;
  default: string;
  meaning: string;
}

function rowsOf(schema: JsonSchema, prefix: string, meaning: (key: string) => string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const key = `${prefix}${name}`;
    if (field.properties !== undefined) return rowsOf(field, `${key}.`, meaning);
    const ofItems = field.items?.properties === undefined ? [] : rowsOf(field.items, `${key}[].`, meaning);
    return [{ key, type: typeOf(field), default: defaultOf(key, field), meaning: meaning(key) }, ...ofItems];
  });
}

function typeOf(field: JsonSchema): string {
  if (field.enum !== undefined) return field.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
  if (field.anyOf !== undefined) return field.anyOf.map(typeOf).join(" or ");
  if (field.type === "array") return `list of ${typeOf(field.items ?? {})}`;
  if (field.type === "object") return "map";
  if (field.type !== "integer" && field.type !== "number")
    return field.type === "string" ? "text" : (field.type ?? "any");
  const least =
    field.minimum ?? (field.exclusiveMinimum === undefined ? undefined : `above ${field.exclusiveMinimum}`);
  const bounds = [least, field.maximum].filter((bound) => bound !== undefined);
  return `${field.type === "integer" ? "whole number" : "number"}${bounds.length === 0 ? "" : `, ${bounds.join(" to ")}`}`;
}

function defaultOf(key: string, field: JsonSchema): string {
  if (key in COMPUTED) return COMPUTED[key as keyof typeof COMPUTED];
  return field.default === undefined ? "" : `\`${JSON.stringify(field.default)}\``;
}

function table(rows: readonly Row[], hasEnvironment: boolean): string {
  const cell = (text: string): string => text.replaceAll("|", String.raw`\|`);
  const head = ["key", ...(hasEnvironment ? ["environment"] : []), "value", "default", "meaning"];
  const lines = rows.map((row) => {
    // Only keys at the top have a variable; one for the whole of what is below them.
    const variable = hasEnvironment ? [row.key.includes(".") ? "" : `\`${environmentName(row.key)}\``] : [];
    return [`\`${row.key}\``, ...variable, row.type, row.default, row.meaning];
  });
  return [head, head.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.map(cell).join(" | ")} |`)
    .join("\n");
}
