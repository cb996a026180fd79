import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryValue } from "../../../test/update-algebra/arbitrary.ts";
import type { ValueType } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import { compareBytes, compareRanges, decodeValue, encodeValue } from "./encoded-value.ts";

const kinds: readonly ValueType[] = [
  { kind: "string" },
  { kind: "int32" },
  { kind: "int64" },
  { kind: "double" },
  { kind: "boolean" },
  { kind: "timestamp" },
  { kind: "bytes" },
  { kind: "enum", symbols: ["z", "m", "a"] },
  { kind: "array", item: { kind: "string" } },
];

/** The order of the values themselves: null first, numbers numerically, text by code point, enums as declared, bytes bytewise. */
function compareValues(type: ValueType, a: PropertyValue, b: PropertyValue): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (type.kind === "enum") return type.symbols.indexOf(a as string) - type.symbols.indexOf(b as string);
  if (typeof a === "string") {
    const [x, y] = [a, b as string].map((text) => Array.from(text, (character) => character.codePointAt(0)!));
    return compareLists(x!, y!);
  }
  if (a instanceof Uint8Array) return compareLists([...a], [...(b as Uint8Array)]);
  return a === b ? 0 : (a as number) < (b as number) ? -1 : 1;
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((item, i) => item !== b[i]);
  return differing < 0 || differing >= b.length ? a.length - b.length : a[differing]! - b[differing]!;
}

describe("the encoded value", () => {
  for (const type of kinds) {
    const value = fc.option(arbitraryValue(type), { freq: 8 });
    it(`keeps the order of ${type.kind} values, and gives them back`, () => {
      fc.assert(
        fc.property(value, value, (a, b) => {
          const [x, y] = [encodeValue(type, a), encodeValue(type, b)];
          expect(Math.sign(compareBytes(x, y))).toBe(Math.sign(compareValues(type, a, b)));
          expect(Math.sign(compareBytes(x, y))).toBe(Math.sign(Buffer.compare(x, y)));
          expect(Math.sign(compareRanges(new Uint8Array([9, ...x]), 1, x.length + 1, y, 0, y.length))).toBe(
            Math.sign(compareBytes(x, y)),
          );
          expect(decodeValue(type, x)).toEqual(a);
        }),
        { numRuns: 300 },
      );
    });
    it(`refuses bytes that encode no ${type.kind}, and never crashes`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
          try {
            decodeValue(type, bytes);
          } catch (error) {
            expect(error).toMatchObject({ kind: "corrupt", code: "bad_encoded_value" });
          }
        }),
      );
    });
  }

  it("has these bytes, the same on every engine", () => {
    const hex = (type: ValueType, value: PropertyValue): string =>
      Buffer.from(encodeValue(type, value)).toString("hex");
    expect(hex({ kind: "string" }, null)).toBe("00");
    expect(hex({ kind: "string" }, "ä")).toBe("01c3a4");
    expect(hex({ kind: "string" }, "")).toBe("01");
    expect(hex({ kind: "int32" }, -1)).toBe("017fffffffffffffff");
    expect(hex({ kind: "int64" }, 9_007_199_254_740_993n)).toBe("018020000000000001");
    expect(hex({ kind: "int64" }, -(2n ** 63n))).toBe("010000000000000000");
    expect(hex({ kind: "timestamp" }, 1_700_000_000_000)).toBe("018000018bcfe56800");
    expect(hex({ kind: "double" }, 1.5)).toBe("01bff8000000000000");
    expect(hex({ kind: "double" }, -1.5)).toBe("014007ffffffffffff");
    expect(hex({ kind: "double" }, -0)).toBe("018000000000000000");
    expect(hex({ kind: "boolean" }, true)).toBe("0101");
    expect(hex({ kind: "enum", symbols: ["a", "b"] }, "b")).toBe("0101");
  });

  it("refuses values of another type", () => {
    const refused: readonly (readonly [ValueType, PropertyValue])[] = [
      [{ kind: "string" }, "\ud800"],
      [{ kind: "int64" }, 2 ** 53],
      [{ kind: "double" }, Number.NaN],
      [{ kind: "enum", symbols: ["a"] }, "b"],
      [{ kind: "boolean" }, 1],
      [{ kind: "bytes" }, "text"],
    ];
    for (const [type, value] of refused) {
      expect(() => encodeValue(type, value)).toThrow(expect.objectContaining({ kind: "invalid", code: "bad_value" }));
    }
  });
});
