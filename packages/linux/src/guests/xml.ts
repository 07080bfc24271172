/** XML of libvirt as plain objects, with namespaces resolved where they matter. */
import { XMLParser } from "fast-xml-parser";

/** An element: attributes by `@name`, text as `#text`, children by tag; repeated tags are arrays. */
export interface XmlElement {
  readonly [key: string]: XmlValue | undefined;
}
export type XmlValue = string | XmlElement | readonly (string | XmlElement)[];

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  // Also decodes &#10; and its like, which libvirt writes for odd names.
  htmlEntities: true,
  // Nothing of ours is in there, it is the longest part, and it holds passwords.
  stopNodes: ["domstatus.domain.devices"],
});

/** Parses a document, after checking that it is well formed. Throws an Error that names line and column. */
export function parseXml(text: string): XmlElement {
  return parser.parse(text, true) as XmlElement;
}

/** Child elements of a tag, in document order; elements that hold only text or nothing are `{"#text": …}`. */
export function children(element: XmlElement | undefined, tag: string): XmlElement[] {
  const value = element?.[tag];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map((child: string | XmlElement) =>
    typeof child === "string" ? { "#text": child } : child,
  );
}

export function child(element: XmlElement | undefined, tag: string): XmlElement | undefined {
  return children(element, tag)[0];
}

export function attribute(element: XmlElement | undefined, name: string): string | undefined {
  const value = element?.[`@${name}`];
  return typeof value === "string" ? value : undefined;
}

/** Text of an element, white space kept. */
export function textOf(element: XmlElement | undefined): string | undefined {
  const value = element?.["#text"];
  return typeof value === "string" ? value : undefined;
}

/**
 * Children by local name and namespace, whatever prefix they use.
 * @param ancestors outermost first: a prefix may be declared on any of them
 */
export function childrenInNamespace(
  element: XmlElement,
  uri: string,
  localName: string,
  ancestors: readonly XmlElement[] = [],
): XmlElement[] {
  const scopes = [element, ...ancestors.toReversed()];
  return Object.keys(element).flatMap((tag) => {
    if (tag.startsWith("@") || tag === "#text") return [];
    const colon = tag.indexOf(":");
    if (tag.slice(colon + 1) !== localName) return [];
    const declaration = colon < 0 ? "xmlns" : `xmlns:${tag.slice(0, colon)}`;
    return children(element, tag).filter((found) => {
      const scope = [found, ...scopes].find((each) => attribute(each, declaration) !== undefined);
      return attribute(scope, declaration) === uri;
    });
  });
}
