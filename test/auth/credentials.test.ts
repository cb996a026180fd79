// Authorization headers of every form: a token comes out of those of one form only, and nothing of a header gets into an error.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RdgError, describeError } from "../../src/core/errors.ts";
import { bearerTokenOf } from "../../src/serve/auth/credentials.ts";
import { problemOf } from "../../src/serve/problems.ts";

const token = fc.stringMatching(/^[A-Za-z0-9._~+/-]{1,200}={0,2}$/);

test("a token is what stands behind Bearer, in whatever case, behind any number of spaces", () => {
  fc.assert(
    fc.property(
      token,
      fc.constantFrom("Bearer", "bearer", "BEARER", "bEaReR"),
      fc.integer({ min: 1, max: 5 }),
      (text, scheme, spaces) => {
        expect(bearerTokenOf([`${scheme}${" ".repeat(spaces)}${text}`])).toBe(text);
      },
    ),
  );
  expect(bearerTokenOf([])).toBeUndefined();
});

test.each([
  [""],
  ["Bearer"],
  ["Bearer "],
  ["Bearer a b"],
  ["Bearer a,Bearer b"],
  ["Bearer a\tb"],
  ["Bearer\ta"],
  [" Bearer a"],
  ["Bearer a "],
  ["Bearer ==="],
  ["Bearer a==="],
  ["Bearer a=b"],
  ['Bearer "a"'],
  ["Bearer \u00fc"],
  ["Bearer a\0"],
  ["Basic YTpi"],
  ["Digest x"],
  ["rdg_0123"],
  ["a".repeat(9_000)],
  [`Bearer ${"a".repeat(9_000)}`],
])("%j is refused", (header) => {
  expect(() => bearerTokenOf([header])).toThrow(expect.objectContaining({ code: "bad_credentials" }) as Error);
});

test("of two headers none counts, also when they are equal", () => {
  expect(() => bearerTokenOf(["Bearer a", "Bearer a"])).toThrow(
    expect.objectContaining({ code: "bad_credentials" }) as Error,
  );
});

test("whatever a header is, it is a token or one kind of refusal, in no time that grows with tricks, and never in the text", () => {
  const secret = "s3cr3t-0123456789";
  const piece = fc.constantFrom(
    "Bearer",
    "bearer ",
    " ",
    "\t",
    ",",
    "=",
    "==",
    "a",
    ".",
    "Basic ",
    "\u{1f600}",
    "\0",
    "\u00ff",
  );
  const header = fc.oneof(
    fc.string({ maxLength: 300, unit: "binary" }),
    fc.array(piece, { maxLength: 400 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(header, fc.nat(300), (text, at) => {
      const given = text.slice(0, at) + secret + text.slice(at);
      try {
        const found = bearerTokenOf([given])!;
        expect(given.slice(0, 7).toLowerCase()).toBe("bearer ");
        expect(given.slice(7).trimStart()).toBe(found);
      } catch (error) {
        expect(error).toBeInstanceOf(RdgError);
        expect(describeError(error) + JSON.stringify(problemOf(error))).not.toContain(secret);
        expect(problemOf(error).status).toBe(401);
      }
    }),
    { numRuns: 500 },
  );
});
