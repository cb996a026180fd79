// Bytes written by hand against JSON.stringify.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { JsonWriter, jsonBytes } from "./json-writer.ts";

function written(write: (writer: JsonWriter) => void): string {
  const writer = new JsonWriter();
  write(writer);
  return Buffer.from(writer.finish()).toString();
}

test("texts are as JSON.stringify has them", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("\u007f\u0080\u2028", '"\\\n\0', "é".repeat(20_000)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(written((writer) => writer.text(text))).toBe(JSON.stringify(text));
      const bytes = Buffer.from(`"${text}"`);
      const again = bytes.toString().slice(1, -1);
      expect(written((writer) => writer.utf8(bytes, 1, bytes.length - 1))).toBe(JSON.stringify(again));
    }),
  );
});

test("numbers are as JSON.stringify has them; int64 is a decimal text", () => {
  const numbers = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(-0, 0x7fffffff, 0x80000000),
  );
  fc.assert(
    fc.property(numbers, (number) => {
      expect(written((writer) => writer.number(number))).toBe(JSON.stringify(number));
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(written((writer) => writer.int64(value))).toBe(`"${value}"`);
    }),
  );
});

test("times are as Date has them, also before 1970 and beyond the year 9999", () => {
  const writer = new JsonWriter();
  const times = fc.oneof(
    fc.date({ noInvalidDate: true }).map((date) => date.getTime()),
    fc.integer({ min: -1_000, max: 86_400_000 * 3 }),
    fc.integer({ min: 0, max: 400 }).map((day) => 1_790_000_000_000 + day * 86_400_000),
  );
  fc.assert(
    fc.property(times, (ms) => {
      writer.time(ms);
      expect(Buffer.from(writer.finish()).toString()).toBe(JSON.stringify(new Date(ms)));
    }),
    { numRuns: 500 },
  );
  expect(written((each) => each.time(9e15))).toBe('"9000000000000000"');
});

test("what was written stays when the next answer is", () => {
  const writer = new JsonWriter();
  writer.put(jsonBytes("[1]"));
  const first = writer.finish();
  for (let i = 0; i < 100_000; i++) writer.raw("[2, 3]");
  expect(writer.finish().length).toBe(600_000);
  expect(Buffer.from(first).toString()).toBe("[1]");
  writer.raw("half an answer");
  writer.reset();
  writer.char(0x31);
  expect(Buffer.from(writer.finish()).toString()).toBe("1");
});

test("what stands in an answer is written again as it is, over pieces of memory and with any bytes around it", () => {
  const writer = new JsonWriter();
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme" }), { minLength: 1, maxLength: 20 }),
      fc.nat(50),
      (texts, more) => {
        const places = texts.map((text) => {
          const place = writer.place;
          writer.text(text);
          return { place, length: writer.place - place };
        });
        const once = texts.map((text) => JSON.stringify(text)).join("");
        for (let i = 0; i < more * texts.length; i++) {
          const { place, length } = places[i % texts.length]!;
          writer.again(place, length);
        }
        const written = writer.finish();
        expect(Buffer.from(written).toString()).toBe(once.repeat(more + 1));
        // What comes next must not see it, nor change it.
        written.fill(0xff);
      },
    ),
    { numRuns: 1_000 },
  );
});

test("constants of any length and any characters", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 30 })), (texts) => {
      expect(written((writer) => texts.forEach((text) => writer.put(jsonBytes(text))))).toBe(texts.join(""));
    }),
  );
});

test("bytes that are no UTF-8 are written as what they read as", () => {
  const lead = fc.constantFrom(0x41, 0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff);
  const next = fc.constantFrom(0x22, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0);
  const bytes = fc.array(fc.oneof(lead, next), { maxLength: 12 }).map((codes) => Buffer.from(codes));
  fc.assert(
    fc.property(bytes, (given) => {
      const expected = JSON.stringify(given.toString());
      expect(written((writer) => writer.utf8(given, 0, given.length))).toBe(expected);
    }),
    { numRuns: 2_000 },
  );
});
