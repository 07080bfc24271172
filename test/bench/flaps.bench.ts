/**
 * Flaps and detection delay on 24 hours of real traces (test/data/traces), by alpha, beta and T_check: with the rule of the
 * paper and with the two thresholds and the cool-down of preset `default`. Everything is decided by decide(); nothing is
 * timed, so the same code gives the same figures. Writes docs/flaps.svg; `--short` takes a corner of the grid and writes
 * nothing.
 */
import { writeFileSync } from "node:fs";
import { presetSettings } from "@kvm-governor/policy";
import type { Settings } from "@kvm-governor/policy";
import { simulate } from "../traces/simulate.ts";
import { traceSet } from "../traces/trace-set.ts";
import { below } from "./harness.ts";
import { heatMapsSvg } from "./heat-map.ts";
import type { PanelRow } from "./heat-map.ts";

const DAY_S = 86_400;
const isShort = process.argv.includes("--short");

const ALPHAS = isShort ? [0.7] : [0.9, 0.8, 0.7, 0.6, 0.5];
const BETAS = isShort ? [0, 5] : [0, 1, 3, 5, 10, 20];
const PERIODS_S = isShort ? [300] : [30, 60, 300];
/** Period of the table: the default. */
const TABLE_PERIOD_S = isShort ? 60 : 1;
/** Between the thresholds at every alpha, as between the defaults. */
const THRESHOLDS_APART = 0.3;

const sets = ["azure-24h", "surf-24h"].map(traceSet);

/** What became of all guests of both sets. Rates are per guest and day. */
interface Figures {
  guest_days: number;
  moves_per_day: number;
  flaps_per_day: number;
  unexcused: number;
  unexcused_per_day: number;
  spells: number;
  missed: number;
  /** A spell that was over before it was found counts with its whole length. */
  delay_mean_min: number;
  delay_median_min: number;
  scientific_hours_per_day: number;
}

function figuresOf(settings: Settings): Figures {
  const all = { days: 0, moves: 0, flaps: 0, unexcused: 0, missed: 0, scientificMs: 0 };
  const delaysMs: number[] = [];
  for (const set of sets) {
    for (const { steadiness, detection, times } of simulate(set, settings, DAY_S).tallies.values()) {
      all.days += (times.serviceMs + times.scientificMs) / (DAY_S * 1000);
      all.moves += steadiness.moves;
      all.flaps += steadiness.flaps;
      all.unexcused += steadiness.unexcused;
      all.missed += detection.missedMs.length;
      all.scientificMs += times.scientificMs;
      delaysMs.push(...detection.delaysMs, ...detection.missedMs);
    }
  }
  delaysMs.sort((a, b) => a - b);
  const mean = delaysMs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, delaysMs.length);
  return {
    guest_days: rounded(all.days),
    moves_per_day: rounded(all.moves / all.days),
    flaps_per_day: rounded(all.flaps / all.days),
    unexcused: all.unexcused,
    unexcused_per_day: rounded(all.unexcused / all.days),
    spells: delaysMs.length,
    missed: all.missed,
    delay_mean_min: rounded(mean / 60_000),
    delay_median_min: rounded((delaysMs[Math.floor(delaysMs.length / 2)] ?? 0) / 60_000),
    scientific_hours_per_day: rounded(all.scientificMs / 3_600_000 / all.days),
  };
}

const rounded = (value: number): number => Number(value.toPrecision(3));

type Rule = "one threshold, no cool-down" | "two thresholds and a cool-down of an hour";
const RULES: readonly Rule[] = ["one threshold, no cool-down", "two thresholds and a cool-down of an hour"];

function settingsOf(rule: Rule, alpha: number, beta: number, periodS: number): Settings {
  const common = { alpha, beta, checkPeriodMs: periodS * 1000, planTtlMs: 2 * periodS * 1000 };
  return rule === "one threshold, no cool-down"
    ? presetSettings("default", { ...common, alphaDown: alpha, coolDownMs: 0 })
    : presetSettings("default", { ...common, alphaDown: Number((alpha - THRESHOLDS_APART).toFixed(2)) });
}

interface Cell {
  rule: Rule;
  alpha: number;
  beta: number;
  period_s: number;
  figures: Figures;
}

function grid(): Cell[] {
  const cells: Cell[] = [];
  const total = RULES.length * PERIODS_S.length * ALPHAS.length * BETAS.length;
  for (const rule of RULES)
    for (const periodS of PERIODS_S)
      for (const alpha of ALPHAS)
        for (const beta of BETAS) {
          const figures = figuresOf(settingsOf(rule, alpha, beta, periodS));
          cells.push({ rule, alpha, beta, period_s: periodS, figures });
          progress(`grid ${cells.length} of ${total}`);
        }
  return cells;
}

/** Each part of the rule by itself, at the defaults. */
function table(): { arm: string; figures: Figures }[] {
  const checkPeriodMs = TABLE_PERIOD_S * 1000;
  const arms: [string, Settings][] = [
    ["preset `paper`: one threshold", presetSettings("paper", { checkPeriodMs })],
    ["two thresholds", presetSettings("default", { checkPeriodMs, coolDownMs: 0 })],
    ["cool-down of an hour", presetSettings("default", { checkPeriodMs, alphaDown: 0.7 })],
    [
      "two thresholds, cool-down of 10 min",
      presetSettings("default", { checkPeriodMs, coolDownMs: 600_000 }),
    ],
    ["preset `default`: both", presetSettings("default", { checkPeriodMs })],
  ];
  return arms.map(([arm, settings]) => {
    progress(`table: ${arm}`);
    return { arm, figures: figuresOf(settings) };
  });
}

function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${what}`);
}

const decimals = (value: number): string =>
  value === 0 ? "0" : value < 10 ? value.toPrecision(2).replace(/\.?0+$/, "") : value.toFixed(0);

function panelRow(
  title: string,
  dark: PanelRow["dark"],
  cells: readonly Cell[],
  pick: (figures: Figures) => number,
): PanelRow {
  const panels = PERIODS_S.map((periodS) => ({
    title: `T_check ${periodS} s`,
    cells: ALPHAS.map((alpha) =>
      BETAS.map((beta) => {
        const cell = cells.find(
          (each) => each.alpha === alpha && each.beta === beta && each.period_s === periodS,
        );
        if (cell === undefined) throw new RangeError(`no figures of alpha ${alpha}, beta ${beta}`);
        return pick(cell.figures);
      }),
    ),
  }));
  return { title, dark, format: decimals, panels };
}

function svgOf(cells: readonly Cell[]): string {
  const rows = RULES.flatMap((rule) => {
    const own = cells.filter((cell) => cell.rule === rule);
    const flaps = `Flaps per guest and day: ${rule}`;
    const delays = `Mean delay until a guest is in the right list, minutes: ${rule}`;
    return [
      panelRow(flaps, [8, 48, 107], own, (figures) => figures.flaps_per_day),
      panelRow(delays, [140, 45, 4], own, (figures) => figures.delay_mean_min),
    ];
  });
  return heatMapsSvg({
    title: "Flaps and detection delay by alpha, beta and T_check",
    subtitle: "160 guests of real traces over 24 hours, decided by decide(); npm run bench -- flaps",
    xTitle: "beta",
    xLabels: BETAS.map(String),
    yTitle: "alpha",
    yLabels: ALPHAS.map(String),
    rows,
  });
}

const arms = table();
const cells = grid();
progress("");
if (!isShort) writeFileSync(new URL("../../docs/flaps.svg", import.meta.url), svgOf(cells));

const last = arms.at(-1);
const aims = [
  below(
    `moves that no change of load explains, preset default, T_check ${TABLE_PERIOD_S} s`,
    1,
    last?.figures.unexcused ?? NaN,
  ),
];
if (process.argv.includes("--json")) {
  process.stdout.write(
    `${JSON.stringify({ name: "flaps", period_s: TABLE_PERIOD_S, arms, grid: cells, aims })}\n`,
  );
} else {
  const columns = Object.keys(last?.figures ?? {});
  process.stdout.write(
    `flaps, 24 h of ${sets.map(({ name }) => name).join(" and ")}, T_check ${TABLE_PERIOD_S} s\n`,
  );
  for (const { arm, figures } of arms) {
    process.stdout.write(`${arm}\n`);
    for (const column of columns)
      process.stdout.write(`  ${column.padEnd(26)} ${String(figures[column as keyof Figures])}\n`);
  }
  for (const { what, aim, measured, met } of aims)
    process.stdout.write(`${met ? "met" : "MISSED"}  ${what}  ${aim}  ${measured}\n`);
}
