/**
 * Configuration of a service: a YAML file (named by KVMGOV_CONFIG) and environment variables over it.
 * Read once, checked strictly: an unknown key or a wrong value is an error that names file and key.
 */
import { readFileSync } from "node:fs";
import { LineCounter, parseDocument, parse as parseYaml } from "yaml";
import type { Document } from "yaml";
import { z } from "zod";

/** A configuration that cannot be used. The message names the source and the key. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a service's configuration.
 * @param file YAML file; by default the one that KVMGOV_CONFIG names, if any
 * @throws {ConfigError} unreadable file, bad YAML, unknown key, wrong value
 */
export function loadConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  { env, file = env["KVMGOV_CONFIG"] || undefined }: { env: Environment; file?: string | undefined },
): z.output<z.ZodObject<Shape>> {
  const document = file === undefined ? undefined : readYaml(file);
  const fromFile = document === undefined ? {} : plainObject(document.value.toJS(), file ?? "");
  const fromEnv = environmentValues(schema, env);
  const result = z.strictObject(schema.shape).safeParse({ ...fromFile, ...fromEnv });
  if (result.success) return result.data;
  throw new ConfigError(describe(result.error, { env: fromEnv, file, document }), { cause: result.error });
}

/** Name of the environment variable of a top-level key: `natsUrl` is KVMGOV_NATS_URL. */
export function environmentName(key: string): string {
  return `KVMGOV_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

interface YamlFile {
  value: Document.Parsed;
  lines: LineCounter;
}

function readYaml(file: string): YamlFile {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError(`configuration ${file}: ${(cause as Error).message}`, { cause });
  }
  const lines = new LineCounter();
  const value = parseDocument(text, { lineCounter: lines });
  const problem = value.errors[0];
  if (problem !== undefined)
    throw new ConfigError(`configuration ${file}: ${problem.message}`, { cause: problem });
  return { value, lines };
}

function plainObject(value: unknown, file: string): Record<string, unknown> {
  if (value === null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ConfigError(`configuration ${file}: must be a map of keys to values`);
}

/** A variable is text; where the schema wants no text, it is read as YAML would (`true`, `1.5`, `[a, b]`). */
function environmentValues(schema: z.ZodObject, env: Environment): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(schema.shape)) {
    const text = env[environmentName(key)];
    if (text === undefined || text === "") continue;
    values[key] = z.safeParse(field as z.ZodType, text).success ? text : parseYaml(text);
  }
  return values;
}

function describe(
  error: z.ZodError,
  source: { env: Record<string, unknown>; file: string | undefined; document: YamlFile | undefined },
): string {
  return error.issues
    .map((issue) => {
      const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
      const key = path.map(String).join(".");
      const top = String(path[0] ?? "");
      if (top in source.env) return `environment variable ${environmentName(top)}: ${issue.message}`;
      if (source.document === undefined) return `configuration: ${key}: ${issue.message}`;
      return `configuration ${source.file}${lineOf(source.document, path)}: ${key}: ${issue.message}`;
    })
    .join("; ");
}

/** `:LINE` of a key, as far down as the file has it. */
function lineOf({ value, lines }: YamlFile, path: readonly PropertyKey[]): string {
  for (let depth = path.length; depth > 0; depth--) {
    const node = value.getIn(path.slice(0, depth), true) as { range?: [number, number, number] } | undefined;
    if (node?.range !== undefined) return `:${lines.linePos(node.range[0]).line}`;
  }
  return "";
}
