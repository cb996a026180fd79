// The transcoder against its naive twin: random definitions and records as lines, damaged, as arrays and objects.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  timeMaxMs,
  type Definition,
  type Outcome,
  naively,
  transcoderOf,
  outcomeOf,
  expectLinesEqual,
} from "../../test/gateway/naive-transcoder.ts";
import { scalarTypes, key, time, goodKey, goodTime, records } from "../../test/gateway/record-forms.ts";
import type { FieldModel } from "../model/value-type.ts";

const definitions: fc.Arbitrary<Definition> = fc
  .record({
    names: fc.uniqueArray(
      fc.oneof(
        fc.constantFrom("a", "b", "ab", "abc", "__proto__", "constructor", "keys", "ke"),
        fc.stringMatching(/^[a-z_][a-z0-9_]{0,9}$/),
      ),
      { maxLength: 7 },
    ),
    types: fc.array(fc.tuple(fc.constantFrom(...scalarTypes), fc.boolean()), { minLength: 7, maxLength: 7 }),
    shift: fc.nat({ max: 8 }),
    isEvent: fc.boolean(),
  })
  .map(({ names, types, shift, isEvent }) => {
    const others = names.filter((name) => name !== "key" && name !== "time");
    const own = [
      ...others.map((name, i): FieldModel => ({ name, type: types[i]![0], optional: types[i]![1] })),
      key,
      time,
    ];
    return { fields: [...own.slice(shift), ...own.slice(0, shift)], isEvent };
  });

const cases = definitions.chain((definition) =>
  fc.tuple(fc.constant(definition), fc.array(records(definition), { maxLength: 25 })),
);

test("lines: two speeds, one meaning", () => {
  const lineEnd = fc.constantFrom("\n", "\r\n", "\n\n", " \n", "\n \t\r\n");
  const property = fc.property(
    cases,
    lineEnd,
    fc.boolean(),
    fc.constantFrom("", "\ufeff", "\n"),
    ([definition, lines], end, ended, start) => {
      expectLinesEqual(definition, Buffer.from(start + lines.join(end) + (ended ? end : "")));
    },
  );
  fc.assert(property, { numRuns: 60 });
});

test("damaged bytes: two speeds, one meaning", () => {
  const damage = fc.record({
    at: fc.nat(),
    byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(10, 34, 44, 58, 92, 123, 125)),
    how: fc.constantFrom("replace", "insert", "remove", "truncate"),
  });
  const property = fc.property(
    cases,
    fc.array(damage, { minLength: 1, maxLength: 20 }),
    ([definition, lines], damages) => {
      let body = Buffer.from(lines.join("\n"));
      for (const { at, byte, how } of damages) {
        const p = at % (body.length + 1);
        const put = how === "replace" || how === "insert" ? [byte] : [];
        const behind = how === "truncate" && byte < 25 ? body.length : how === "insert" ? p : p + 1;
        body = Buffer.concat([body.subarray(0, p), Buffer.from(put), body.subarray(behind)]);
      }
      expectLinesEqual(definition, body);
    },
  );
  fc.assert(property, { numRuns: 60 });
});

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

test("a JSON array: two speeds, one meaning, or refused when it is none", () => {
  const brackets = fc.constantFrom(
    ["[", "]"],
    ["\ufeff [ ", " ]\n"],
    ["[\n", "\n]"],
    ["[", ""],
    ["[", "]x"],
    ["[,", "]"],
    ["[", ",]"],
  );
  const property = fc.property(
    cases,
    fc.constantFrom(",", " ,\n", "\r\n, "),
    brackets,
    ([definition, elements], comma, [open, close]) => {
      const text = `${open}${elements.join(comma)}${close}`;
      const transcoder = transcoderOf(definition);
      const read = (): Outcome => outcomeOf(transcoder, transcoder.readJson(Buffer.from(text), timeMaxMs));
      if (parsed(text.replace("\ufeff", "")) === undefined)
        expect(read).toThrow(expect.objectContaining({ code: "bad_json" }));
      else
        expect(read()).toEqual(
          naively(
            definition,
            elements.map((element) => Buffer.from(element)),
          ),
        );
    },
  );
  fc.assert(property, { numRuns: 50 });
});

test("one JSON object, on any number of lines", () => {
  const definition: Definition = { fields: [key, time], isEvent: true };
  const read = (text: string): Outcome => {
    const transcoder = transcoderOf(definition);
    return outcomeOf(transcoder, transcoder.readJson(Buffer.from(text), timeMaxMs));
  };
  for (const text of [
    `{${goodKey},${goodTime}}`,
    `\n{\n ${goodKey}\n,\n${goodTime}\n}\n`,
    "null",
    '{"key":1}',
    " 1 ",
  ]) {
    expect(read(text)).toEqual(naively(definition, [Buffer.from(text)]));
  }
  for (const text of [
    "",
    " ",
    "{",
    "{}{}",
    "{},",
    "1 2",
    "nul",
    `{${goodKey},${goodTime}},`,
    `{${goodKey},${goodTime}}]`,
  ]) {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: "bad_json" }));
  }
});
