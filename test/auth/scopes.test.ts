// What scopes allow, held to a few lines that say the same by looking at the words.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Need, mayProduce, mayReadOf, meets } from "../../src/serve/auth/port.ts";
import { grantsOf, grantsOfForeign } from "../../src/serve/auth/scopes.ts";

const names = ["watched", "title", "playback"] as const;
const scopes = fc.subarray([
  "admin",
  "observe",
  "read",
  "produce",
  ...names.map((name) => `read:${name}`),
  ...names.map((name) => `produce:${name}`),
]);
const needs = fc.oneof(
  fc.constantFrom<Need>({ scope: "open" }, { scope: "any" }, { scope: "observe" }, { scope: "admin" }),
  fc.record({ scope: fc.constant("read" as const), type: fc.option(fc.constantFrom(...names), { nil: undefined }) }),
  fc.record({ scope: fc.constant("produce" as const), name: fc.option(fc.constantFrom(...names), { nil: undefined }) }),
);

/** The meaning of the words, without sets. */
function allowed(words: readonly string[], need: Need): boolean {
  if (need.scope === "open" || need.scope === "any" || words.includes("admin")) return true;
  if (need.scope === "admin") return false;
  if (need.scope === "observe") return words.includes("observe") || words.includes("read");
  const name = need.scope === "read" ? need.type : need.name;
  const narrowed = words.filter((word) => word.startsWith(`${need.scope}:`));
  return (
    words.includes(need.scope) ||
    (name === undefined ? narrowed.length > 0 : narrowed.includes(`${need.scope}:${name}`))
  );
}

test("grants meet exactly the needs that the scopes name", () => {
  fc.assert(
    fc.property(scopes, needs, (words, need) => {
      expect(meets(grantsOf(words), need)).toBe(allowed(words, need));
    }),
    { numRuns: 500 },
  );
});

test("types and events that only a body names are decided alike", () => {
  fc.assert(
    fc.property(scopes, fc.constantFrom(...names), (words, name) => {
      const principal = { kind: "key", id: "key:1", name: "k", grants: grantsOf(words) } as const;
      expect(mayReadOf(principal)?.(name) ?? true).toBe(allowed(words, { scope: "read", type: name }));
      expect(mayProduce(principal, name)).toBe(allowed(words, { scope: "produce", name }));
    }),
  );
});

test.each([
  "",
  "raed",
  "read:",
  "read: x",
  "read:*",
  "read:a:b",
  "observe:x",
  "admin:x",
  "READ",
  "read ",
  "read:1a",
  "__proto__",
])("%j is no scope: ours are refused with it, and a token's says nothing", (scope) => {
  expect(() => grantsOf(["read:title", scope])).toThrow(expect.objectContaining({ code: "bad_scope" }) as Error);
  expect(grantsOfForeign([scope])).toEqual({ admin: false, observe: false, read: new Set(), produce: new Set() });
});
