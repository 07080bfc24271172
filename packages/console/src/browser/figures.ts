/** Figures as text. */
export const percent = (part: number): string => `${Math.round(part * 100)}%`;

export const cores = (value: number): string => value.toFixed(2);

/** A dash where nothing is known: an empty cell looks like a mistake. */
export function orDash<T>(value: T | null, text: (value: T) => string): string {
  return value === null ? "–" : text(value);
}

export const wholeNumber = (value: number): string => value.toLocaleString("en").replaceAll(",", "\u202f");

export const plural = (count: number, one: string): string =>
  `${wholeNumber(count)} ${one}${count === 1 ? "" : "s"}`;

/** Both thresholds of use, where there are two, and that of crossings. */
export function thresholds({
  alpha,
  alphaDown,
  beta,
}: {
  alpha: number;
  alphaDown: number;
  beta: number;
}): string {
  return `alpha ${alpha}${alphaDown === alpha ? "" : ` / ${alphaDown}`}, beta ${beta}`;
}
