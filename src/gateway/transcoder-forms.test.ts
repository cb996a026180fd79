// The transcoder against its naive twin: every known form of every type, of keys, event times and records.
import { test } from "vitest";
import { expectLinesEqual } from "../../test/gateway/naive-transcoder.ts";
import {
  odd,
  keys,
  times,
  formsOf,
  scalarTypes,
  key,
  time,
  goodKey,
  goodTime,
} from "../../test/gateway/record-forms.ts";
import type { FieldModel } from "../model/value-type.ts";

test.each([...scalarTypes, { kind: "bytes" } as const, { kind: "array", item: { kind: "int32" } } as const])(
  "every form of $kind",
  (type) => {
    for (const optional of [false, true]) {
      const fields: FieldModel[] = [key, { name: "field", type, optional }, time];
      const lines = [...formsOf(type), ...odd].flatMap((form) => [
        `{${goodKey},"field":${form},${goodTime}}`,
        `{${goodTime} , "field" : ${form} , ${goodKey} }`,
        `{"field":${form},"field":${form},${goodKey},${goodTime}}`,
        `{${goodKey},${goodTime},"field":${form}}`,
      ]);
      expectLinesEqual({ fields, isEvent: true }, Buffer.from(lines.join("\n")));
      // Alone in its body, so that the bytes end where the value does.
      for (const form of formsOf(type)) {
        expectLinesEqual({ fields, isEvent: false }, Buffer.from(`{${goodKey},${goodTime},"field":${form}}`));
        expectLinesEqual({ fields, isEvent: true }, Buffer.from(`{${goodKey},${goodTime},"field":${form}`));
      }
    }
  },
);

test("every form of the key and of the event time", () => {
  const fields: FieldModel[] = [key, time];
  const lines = [
    ...keys.map((form) => `{"key":${form},${goodTime}}`),
    ...[...times, ...odd].map((form) => `{${goodKey},"time":${form}}`),
  ];
  expectLinesEqual({ fields, isEvent: true }, Buffer.from(lines.join("\n")));
  expectLinesEqual({ fields, isEvent: false }, Buffer.from(lines.join("\r\n")));
});

test("every form of a record", () => {
  const more: FieldModel = { name: "__proto__", type: { kind: "string" }, optional: true };
  const count: FieldModel = { name: "n", type: { kind: "int32" }, optional: true };
  const record = `${goodKey},${goodTime}`;
  const lines = [
    `{${record}}`,
    ` {${record}} `,
    `{${record}}x`,
    `{${goodKey},\u000b${goodTime}}`,
    `{${record}\u000c}`,
    `{${record}},`,
    `{${record}}{${record}}`,
    `{${record}} {}`,
    `{${record},}`,
    `{,${record}}`,
    `{${record}`,
    `${record}}`,
    `{${record}]`,
    `[{${record}}]`,
    `{${record},"more":1}`,
    `{${record},"":1}`,
    `{${record},"constructor":1}`,
    `{${record},"__proto__":"x"}`,
    `{${record},"__proto__":null}`,
    `{${record},"__proto__":{"key":"y"}}`,
    `{"__proto__":"x",${record}}`,
    `{"__proto__":"x","__proto__":null,${record}}`,
    `{"__proto__":null,"__proto__":"x",${record}}`,
    `{"n":null,"n":1,${record}}`,
    `{"n":1,"n":null,${record}}`,
    `{${record},"key":"k2"}`,
    `{"k\\u0065y":"k2",${goodTime}}`,
    `{${record},"k\\u0065y":"k2"}`,
    `{${goodKey}}`,
    `{${goodTime}}`,
    "{}",
    "{ }",
    "{",
    "}",
    "null",
    "[]",
    "1",
    '"text"',
    "\ufeff{}",
    "{\u000b}",
    `{${goodKey}\u00a0,${goodTime}}`,
    `{"key" "k",${goodTime}}`,
    `{"key"::"k",${goodTime}}`,
    `{"key":"k" ${goodTime}}`,
    `{key:"k",${goodTime}}`,
    `{"key":"k",,${goodTime}}`,
    `{'key':"k",${goodTime}}`,
    '{"$delete":"k1"}',
    '{"$delete":""}',
    '{"$delete":1}',
    '{"$delete":"k","a":1}',
    ' { "$delete" : "k2" } ',
    '{"$delete":null}',
    '{"\\u0024delete":"k3"}',
  ];
  for (const isEvent of [true, false]) {
    for (const fields of [
      [key, time, more, count],
      [more, key, count, time],
      [count, more, time, key],
    ]) {
      expectLinesEqual({ fields, isEvent }, Buffer.from(lines.join("\n")));
      for (const line of lines) expectLinesEqual({ fields, isEvent }, Buffer.from(line));
    }
  }
});

test("a definition of more fields than code is generated for", () => {
  const fields: FieldModel[] = [
    key,
    time,
    ...Array.from({ length: 120 }, (_, i): FieldModel => ({ name: `f${i}`, type: { kind: "int32" }, optional: true })),
  ];
  expectLinesEqual(
    { fields, isEvent: true },
    Buffer.from(`{${goodKey},${goodTime},"f7":7,"f119":8}\n{${goodKey},${goodTime},"f120":1}`),
  );
});
