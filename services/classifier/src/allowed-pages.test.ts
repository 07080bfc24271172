import { describe, expect, it } from "@jest/globals";
import { NetworkError, allowedPages } from "./allowed-pages.ts";

describe("allowedPages", () => {
  const isAllowed = allowedPages(["10.1.0.0/16", "192.0.2.7", "fd00::/8", "*.example.com"]);

  it.each([
    ["10.1.255.255", true],
    ["10.2.0.1", false],
    ["192.0.2.7", true],
    ["192.0.2.8", false],
    ["169.254.169.254", false],
    ["[fd12::1]", true],
    ["[fe80::1]", false],
    ["[::ffff:10.1.0.1]", true],
    ["[::ffff:10.2.0.1]", false],
    ["h1.EXAMPLE.com", true],
    ["h1.example.com.evil", false],
    ["example.com", false],
    ["localhost", false],
  ])("%s: %s", (hostname, expected) => {
    expect(isAllowed(hostname)).toBe(expected);
  });

  it("lets everything through where nothing is said, and nothing where the list is empty", () => {
    expect(allowedPages(undefined)("169.254.169.254")).toBe(true);
    expect(allowedPages([])("10.1.0.1")).toBe(false);
  });

  it.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0", "fd00::/129", "a b", "http://h", ""])(
    "refuses %j and names it",
    (entry) => {
      expect(() => allowedPages([entry])).toThrow(NetworkError);
      expect(() => allowedPages([entry])).toThrow(JSON.stringify(entry));
    },
  );
});
