/** How long after the beginning of a spell a guest was in the list where it belongs. */
import { LEVEL_MS, SPELL_MS_MIN, spellKind } from "./load.ts";
import type { Level, SpellKind } from "./load.ts";
import type { GuestClass } from "@kvm-governor/policy";

const belongs: Record<SpellKind, GuestClass> = { busy: "scientific", quiet: "service" };

interface Spell {
  kind: SpellKind;
  fromMs: number;
  endMs: number;
  /** When it came into the right list; undefined: not yet. */
  rightMs: number | undefined;
  /** It was in the right list as the spell began: there was nothing to find out. */
  wasRight: boolean;
}

export class Detection {
  /** Delays of spells that were found, in milliseconds. */
  readonly delaysMs: number[] = [];
  /** Lengths of spells that were over before they were found, in milliseconds: the delay is more. */
  readonly missedMs: number[] = [];
  #spell: Spell | undefined;
  /** The class as each of the last levels began, with the time of the last change. */
  #class: GuestClass = "service";
  #sinceMs = -Infinity;
  #before: GuestClass = "service";

  /** The list in which the guest is when it is first seen. */
  starts(list: GuestClass): void {
    this.#class = list;
  }

  /** The guest is in this list from then on. */
  is(list: GuestClass, fromMs: number): void {
    if (list === this.#class) return;
    this.#before = this.#class;
    this.#class = list;
    this.#sinceMs = fromMs;
    const spell = this.#spell;
    if (spell !== undefined && belongs[spell.kind] === list) spell.rightMs ??= fromMs;
  }

  /** A level is complete. */
  level(level: Level): void {
    const kind = spellKind(level);
    const spell = this.#spell;
    const goesOn = spell !== undefined && spell.kind === kind && level.fromMs === spell.endMs;
    if (goesOn) spell.endMs += LEVEL_MS;
    else {
      this.#close();
      this.#spell = kind === undefined ? undefined : this.#begin(kind, level.fromMs);
    }
  }

  end(): void {
    this.#close();
    this.#spell = undefined;
  }

  #begin(kind: SpellKind, fromMs: number): Spell {
    const atBegin = this.#sinceMs <= fromMs ? this.#class : this.#before;
    const wasRight = atBegin === belongs[kind];
    const rightMs = this.#class === belongs[kind] ? Math.max(fromMs, this.#sinceMs) : undefined;
    return { kind, fromMs, endMs: fromMs + LEVEL_MS, rightMs, wasRight };
  }

  #close(): void {
    const spell = this.#spell;
    if (spell === undefined || spell.wasRight || spell.endMs - spell.fromMs < SPELL_MS_MIN) return;
    // Found after its end: not found.
    if (spell.rightMs === undefined || spell.rightMs > spell.endMs)
      this.missedMs.push(spell.endMs - spell.fromMs);
    else this.delaysMs.push(spell.rightMs - spell.fromMs);
  }
}
