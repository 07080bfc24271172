/** Patterns of guest names: `*` is any text, `?` any one character, everything else itself, newlines and quotes too. */

/**
 * Whether a whole name matches a pattern, case and all. Own code, because glob libraries give `/`, `[`, `{`, `!` and a
 * leading dot meanings that a guest's name does not have. Takes at most pattern x name steps: a tenant's name cannot stall it.
 */
export function matchesName(pattern: string, name: string): boolean {
  const wanted = Array.from(pattern);
  const given = Array.from(name);
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let next = 0; next < given.length;) {
    const char = wanted[at];
    if (char === "*") {
      star = at++;
      resume = next;
    } else if (char === "?" || (char !== undefined && char === given[next])) {
      at++;
      next++;
    } else if (star >= 0) {
      // The last star takes one more character; earlier ones need not, the text between them already matched.
      at = star + 1;
      next = ++resume;
    } else {
      return false;
    }
  }
  while (wanted[at] === "*") at++;
  return at === wanted.length;
}
