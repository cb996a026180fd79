// The transcoder's naive twin (JSON.parse, the model's validator and encoder), and what both are compared by.
import { isUtf8 } from "node:buffer";
import { expect } from "vitest";
import { createOutputs } from "../../src/gateway/record-output.ts";
import { Transcoder } from "../../src/gateway/transcoder.ts";
import { AvroWriter } from "../../src/model/avro/avro-writer.ts";
import { validateRecord } from "../../src/model/avro/json-record.ts";
import { compileRecordEncoder, timestampOf } from "../../src/model/avro/record-encoder.ts";
import { partitionOf } from "../../src/model/partitioner.ts";
import type { FieldModel } from "../../src/model/value-type.ts";

export const schemaId = 0x01020384;

export const timeMaxMs = Date.UTC(2027, 0);

export const partitions = 3;

export interface Definition {
  readonly fields: readonly FieldModel[];
  readonly isEvent: boolean;
}

export interface Outcome {
  /** Per partition: records as hex; rows of side inputs with their keys. */
  readonly records: readonly (readonly string[])[];
  readonly problems: readonly (readonly [index: number, code: string, field: string | undefined])[];
}

export function naively(definition: Definition, lines: readonly Buffer[]): Outcome {
  const records: string[][] = Array.from({ length: partitions }, () => []);
  const problems: [number, string, string | undefined][] = [];
  const put = (key: string, text: string): void => {
    const bytes = Buffer.from(key);
    const stored = definition.isEvent ? text : `${key}: ${text}`;
    records[partitionOf(bytes, 0, bytes.length, partitions)]!.push(stored);
  };
  lines.forEach((line, index) => {
    for (const [code, field] of readNaively(definition, line, put)) problems.push([index, code, field]);
  });
  return { records, problems: problems.slice(0, 100) };
}

export type Problem = readonly [code: string, field: string | undefined];

export function readNaively(
  { fields, isEvent }: Definition,
  line: Buffer,
  put: (key: string, text: string) => void,
): readonly Problem[] {
  if (!isUtf8(line)) return [["bad_utf8", undefined]];
  let value: any;
  try {
    value = JSON.parse(line.toString());
  } catch {
    return [["bad_json", undefined]];
  }
  if (!isEvent && typeof value === "object" && value !== null && Object.keys(value).join() === "$delete") {
    const key: unknown = value.$delete;
    if (typeof key !== "string" || key === "") return [["bad_key", "$delete"]];
    put(key, "null");
    return [];
  }
  const found = validateRecord(fields, value, "key");
  if (found.length > 0) return found.map(({ code, field }) => [code, field === "" ? undefined : field]);
  if (isEvent && timestampOf(value.time) > timeMaxMs) return [["time_in_future", "time"]];
  const writer = new AvroWriter();
  compileRecordEncoder(fields)(value, writer);
  put(value.key, `0001020384${Buffer.from(writer.copy()).toString("hex")}`);
  return [];
}

export function transcoderOf({ fields, isEvent }: Definition): Transcoder {
  const time = isEvent ? "time" : undefined;
  return new Transcoder({
    fields,
    key: "key",
    time,
    schemaId,
    outputs: createOutputs(partitions, !isEvent),
    recordBytesMax: 1 << 20,
    recordsMax: 1000,
  });
}

export function outcomeOf(transcoder: Transcoder, { findings }: ReturnType<Transcoder["readLines"]>): Outcome {
  const records = transcoder.outputs.map((output) => {
    const { count, values, keys, nulls } = output.take();
    const slice = ({ bytes, starts }: typeof values, i: number): Buffer =>
      Buffer.from(bytes.subarray(starts[i], starts[i + 1]));
    return Array.from({ length: count }, (_, i) => {
      const text = nulls?.[i] === 1 ? "null" : slice(values, i).toString("hex");
      return keys === undefined ? text : `${slice(keys, i).toString()}: ${text}`;
    });
  });
  return { records, problems: findings.problems.map(({ index, code, field }) => [index, code, field]) };
}

/** The lines as NDJSON defines them, without blanks around them, without blank ones. */
export function linesOf(body: Buffer): Buffer[] {
  const bom = body.subarray(0, 3).toString("hex") === "efbbbf" ? 3 : 0;
  const lines = body.toString("latin1").slice(bom).split("\n");
  return lines
    .map((line) => Buffer.from(line.replace(/^[ \t\r]+|[ \t\r]+$/g, ""), "latin1"))
    .filter((line) => line.length > 0);
}

export function expectLinesEqual(definition: Definition, body: Buffer): void {
  const transcoder = transcoderOf(definition);
  const outcome = outcomeOf(transcoder, transcoder.readLines(body, timeMaxMs));
  expect(outcome).toEqual(naively(definition, linesOf(body)));
}
