/** Which series an expression (PromQL) stands on: enough of its grammar to find names that do not exist. */

export interface Selector {
  name: string;
  /** Labels that its matchers name. */
  labels: string[];
}

/** Keywords that a list of labels follows. */
const LISTS = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const WORDS = ["and", "or", "unless", "bool", "offset", "inf", "nan"];

/** Every selector of an expression, in its order. @throws {Error} brackets or strings that do not end */
export function selectorsIn(expression: string): Selector[] {
  const text = expression.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, "''");
  if (/"/.test(text)) throw new Error(`a string does not end: ${expression}`);
  const selectors: Selector[] = [];
  const word = /[a-zA-Z_:][a-zA-Z0-9_:]*|\d[\w.]*|\[[^\]]*\]/y;
  for (let at = 0; at < text.length;) {
    word.lastIndex = at;
    const name = word.exec(text)?.[0];
    if (name === undefined) {
      at++;
      continue;
    }
    at += name.length;
    const rest = text.slice(at);
    if (/^[\d[]/.test(name) || WORDS.includes(name.toLowerCase())) continue;
    if (LISTS.includes(name.toLowerCase())) at += listLength(rest, expression);
    else if (/^\s*(\(|(by|without)\b)/.test(rest)) continue;
    else {
      const matchers = /^\s*\{([^}]*)\}/.exec(rest);
      at += matchers?.[0].length ?? 0;
      const labels = [...(matchers?.[1] ?? "").matchAll(/([a-zA-Z_]\w*)\s*[=!]/g)].map(
        ([, label]) => label ?? "",
      );
      selectors.push({ name, labels });
    }
  }
  return selectors;
}

/** Of `(a, b)` at the beginning of a text; aggregations may have their list after the expression too. */
function listLength(text: string, expression: string): number {
  const list = /^\s*\([^)]*\)/.exec(text);
  if (list !== null) return list[0].length;
  throw new Error(`no list of labels: ${expression}`);
}
