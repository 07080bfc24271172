/** Small helpers around the DOM. Text goes in as text, never as markup: a tenant names guests. */

type Children = readonly (Node | string)[];

/** An element with attributes and children; `class` and `text` are what they say. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  children: Children = [],
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** The element of the page with this id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
}

/** Touches the page only where something changed: readers of the screen, and the layout, are left in peace. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function setHidden(element: HTMLElement, isHidden: boolean): void {
  if (element.hidden !== isHidden) element.hidden = isHidden;
}

/** Brings the children of a list into the order of the keys, by as few moves as going along once allows. */
export function arrange(parent: Element, elements: readonly Element[]): void {
  let at: Element | null = parent.firstElementChild;
  for (const element of elements) {
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
}

/** A text whose direction cannot reach what stands around it. */
export function isolated(text: string): HTMLElement {
  return el("bdi", { text });
}

const SIGNS = { service: "■", scientific: "◆", exempt: "●" } as const;
export type ClassName = keyof typeof SIGNS;

/** A class by sign and word. */
export function classBadge(name: ClassName): HTMLElement {
  return el("span", { class: `class is-${name}` }, [
    el("span", { class: `sign is-${name}`, "aria-hidden": "true", text: SIGNS[name] }),
    ` ${name}`,
  ]);
}

const SEVERITY_SIGNS = { critical: "✖", warning: "▲", info: "i" } as const;
export type SeverityName = keyof typeof SEVERITY_SIGNS;

export function severityBadge(name: SeverityName, text: string = name): HTMLElement {
  return el("span", { class: `severity is-${name}` }, [
    el("span", { "aria-hidden": "true", text: SEVERITY_SIGNS[name] }),
    ` ${text}`,
  ]);
}
