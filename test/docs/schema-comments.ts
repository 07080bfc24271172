/**
 * Comments above the keys of zod schemas, found by where a key stands and not by its name: `limits.floorCores` and
 * `limits.guests[].floorCores` mean different things. Reads sources as prettier leaves them: what is deeper is further to the right.
 */

interface Key {
  comment: string | undefined;
  /** Text of its value. */
  value: string;
}

/** A `const` with an object of keys, or one made from others. */
interface Declaration {
  /** What stands on its first line, and what is spread into it: more declarations that have its keys. */
  from: string;
  /** By path inside it. */
  keys: Map<string, Key>;
}

export class SchemaComments {
  readonly #declarations = new Map<string, Declaration>();

  /** @param texts sources; of two declarations of one name the first counts */
  constructor(texts: readonly string[]) {
    for (const text of texts) {
      for (const [name, declaration] of declarationsOf(text)) {
        if (!this.#declarations.has(name)) this.#declarations.set(name, declaration);
      }
    }
  }

  /**
   * The comment above a key.
   * @param root name of the declaration that the path begins in
   * @returns undefined where nobody says what it means
   */
  of(root: string, path: readonly string[]): string | undefined {
    const declaration = this.#declarations.get(root);
    if (declaration === undefined || path.length === 0) return undefined;
    const own = declaration.keys.get(path.join("."))?.comment;
    return own ?? this.#inside(declaration, path) ?? this.#first(declaration.from, path);
  }

  /** A key above it has another declaration as its value. */
  #inside({ keys }: Declaration, path: readonly string[]): string | undefined {
    for (let length = path.length - 1; length > 0; length--) {
      const above = keys.get(path.slice(0, length).join("."));
      const found = above && this.#first(above.value, path.slice(length));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #first(text: string, path: readonly string[]): string | undefined {
    for (const name of text.match(/\w+/g) ?? []) {
      const found = this.of(name, path);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function declarationsOf(text: string): Map<string, Declaration> {
  const declarations = new Map<string, Declaration>();
  let current: DeclarationReader | undefined;
  for (const line of text.split("\n")) {
    const head = /^(?:export )?const (\w+) = (.*)$/.exec(line);
    if (head !== null) {
      current = new DeclarationReader(head[2] ?? "");
      declarations.set(head[1] ?? "", current.declaration);
    } else if (/^[^\s)}\]]/.test(line)) current = undefined;
    else current?.read(line);
  }
  return declarations;
}

class DeclarationReader {
  readonly declaration: Declaration;
  /** Keys that the line stands below, outermost first. */
  readonly #above: { indent: number; name: string; key: Key }[] = [];
  #comment: string | undefined;
  #isInComment = false;

  constructor(from: string) {
    this.declaration = { from, keys: new Map() };
  }

  read(line: string): void {
    const text = line.trim();
    if (text.startsWith("/**")) this.#comment = "";
    if (text.startsWith("/**") || this.#isInComment) {
      this.#comment += `${text} `;
      this.#isInComment = !text.endsWith("*/");
      return;
    }
    this.#readCode(text, line.length - line.trimStart().length);
    this.#comment = undefined;
  }

  #readCode(text: string, indent: number): void {
    while ((this.#above.at(-1)?.indent ?? -1) >= indent) this.#above.pop();
    for (const { key } of this.#above) key.value += ` ${text}`;
    const [, name, value = ""] = /^(\w+):(.*)$/.exec(text) ?? [];
    if (name !== undefined) {
      const key = { comment: wordsOf(this.#comment), value };
      this.#above.push({ indent, name, key });
      this.declaration.keys.set(this.#above.map((each) => each.name).join("."), key);
    } else if (text.startsWith("...") && this.#above.length === 0) this.declaration.from += ` ${text}`;
  }
}

/** A comment as one line, without its marks and its last full stop. */
function wordsOf(comment: string | undefined): string | undefined {
  return comment
    ?.replace(/^\/\*\*/, "")
    .replace(/\*\/\s*$/, "")
    .replaceAll(/\s+\*\s+/g, " ")
    .trim()
    .replace(/\.$/, "");
}
