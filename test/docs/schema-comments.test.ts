import { describe, expect, it } from "@jest/globals";
import { SchemaComments } from "./schema-comments.ts";

const SOURCE = `
const inner = z
  .strictObject({
    /** Of one guest. */
    floor: z.number(),
    nobody: z.number(),
  })
  .refine(({ floor = 0 }) => floor >= 0, "floor: is below 0");

const step = z.number().optional();

export const limits = z.object({
  /** Of every
   * guest. */
  floor: z.number(),
  /** Single guests. */
  guests: z.array(inner).max(10),
  steps: z
    .strictObject({
      /** Up. */
      up: step,
    })
    .prefault({}),
});
const fewer = limits.omit({ steps: true });

function floor(): void {}

export const root = z.object({
  ...common,
  /** All limits. */
  limits: limits.prefault({}),
  less: fewer,
});
`;
const COMMON = `export const common = {
  /** For all. */
  name: z.string(),
};
export const root = z.object({ /** Another. */ });
`;

describe("comments of schemas", () => {
  const comments = new SchemaComments([SOURCE, COMMON]);
  const of = (path: string): string | undefined => comments.of("root", path.split("."));

  it.each([
    ["limits", "All limits"],
    ["limits.floor", "Of every guest"],
    ["limits.guests", "Single guests"],
    ["limits.guests.floor", "Of one guest"],
    ["limits.steps.up", "Up"],
    ["less.floor", "Of every guest"],
    ["name", "For all"],
  ])("%s: %s", (path, comment) => {
    expect(of(path)).toBe(comment);
  });

  it.each(["floor", "limits.guests.nobody", "limits.name", "less", "nothing"])(
    "%s has none, whatever else is called so",
    (path) => {
      expect(of(path)).toBeUndefined();
    },
  );
});
