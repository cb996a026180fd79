// Random values of any type, out of few so that they meet, and of those that trip careless code.
import type { Random } from "../../src/core/random.ts";
import type { RecordValue } from "../../src/jobs/plan/decode.ts";
import type { FieldModel, ValueType } from "../../src/model/definition.ts";
import type { PropertyValue } from "../../src/model/filter.ts";

/** Names are anything: none may become code. */
export const names = [
  "a", "id", "__proto__", "constructor", "toString", "it's", '"quoted"', "`${1}`", "*/", "//", "line\nbreak", "\u2028", "é", "😀", "b", "fields", "p",
]; // prettier-ignore
/** Names that the definition language lets through, some of which trip what handles names carelessly. */
export const declarableNames = [
  "a", "id", "__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "b", "fields", "p", "P", "_", "firstSeen", "limit", "x1",
]; // prettier-ignore
export const texts = [
  "", "a", "b", "ab", "A", "a,b,,c", ",", "é", "É", "ß", "İ", "ΑΣ", "ﬁ", "😀", "😀a😀", "\uFFFD", "\u{10FFFF}", "__proto__", "0", "long ".repeat(20),
  "x".repeat(1024), "x".repeat(1025), "é".repeat(600),
]; // prettier-ignore
export const integers = [0, 1, -1, 2, -7, 7, 63, 64, -65, 2147483647, -2147483648];
export const longs = [
  ...integers,
  2 ** 31,
  2 ** 52,
  2 ** 53 - 1,
  -(2 ** 53 - 1),
  2n ** 53n,
  -(2n ** 53n),
  2n ** 63n - 1n,
  -(2n ** 63n),
  4611686018427387904n,
];
export const doubles = [
  0, 1, -1, 0.5, -0.5, 2.5, 1e300, -1e300, 5e-324, 9223372036854775808, -9223372036854775808, 1.7976931348623157e308,
];
export const dayMs = 86_400_000;
export const times = [0, 1, -1, dayMs, -dayMs, 4 * dayMs, 4 * dayMs - 1, 1_700_000_000_000, -8.64e15, 8.64e15];

export class RandomValues {
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  below(bound: number): number {
    return this.random.below(bound);
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  record(fields: readonly FieldModel[]): RecordValue {
    const record = Object.create(null) as Record<string, PropertyValue>;
    for (const field of fields) {
      if (field.optional && this.chance(3)) continue;
      record[field.name] = this.value(field.type);
    }
    return record;
  }

  value(type: ValueType): PropertyValue {
    switch (type.kind) {
      case "string":
        return this.pick(texts.slice(0, this.chance(8) ? texts.length : 20));
      case "int32":
        return this.chance(3) ? this.pick(integers) : this.below(2 ** 32) - 2 ** 31;
      case "int64":
        return this.chance(3) ? this.pick(longs) : (this.below(2 ** 32) - 2 ** 31) * this.pick([1, 1000, 2 ** 20]);
      case "double":
        return this.chance(2) ? this.pick(doubles) : (this.below(2 ** 32) - 2 ** 31) / 1000;
      case "boolean":
        return this.chance(2);
      case "timestamp":
        return this.chance(2) ? this.pick(times) : (this.below(2 ** 32) - 2 ** 31) * 1000 + this.below(1000);
      case "bytes":
        return Uint8Array.from({ length: this.below(3) }, () => this.pick([0, 1, 127, 128, 255]));
      case "enum":
        return this.pick(type.symbols);
      case "array":
        return Array.from({ length: this.below(4) }, () => this.value(type.item));
      case "map": {
        const entries = Object.create(null) as Record<string, PropertyValue>;
        for (let i = this.below(4); i > 0; i--) entries[this.pick(names)] = this.value(type.value);
        return entries;
      }
      case "record":
        return this.record(type.fields);
    }
  }
}
