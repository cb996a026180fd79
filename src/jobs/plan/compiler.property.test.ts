// Compiled jobs against the interpreter: random graphs, plans, events, rows and damage.
import { deepStrictEqual } from "node:assert";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createForeignWriter, type CutBlock, encodeRecord } from "../../../test/plan/avro.ts";
import { eventTimeMs, RandomJob } from "../../../test/plan/random-job.ts";
import { createRecordingSink, type RecordingSink } from "../../../test/plan/recording-sink.ts";
import { RdgError } from "../../core/errors.ts";
import { seededRandom } from "../../core/random.ts";
import type { CompiledJob } from "./compiled-job.ts";
import { compileJob, compileRowReader } from "./compiler.ts";
import { decodeRecord, type RecordValue } from "./decode.ts";
import { type Interpreted, interpretJob } from "./interpreter.ts";
import { filtered, idTooLong, malformedRecord, mapped, resultCodes, timeInFuture } from "./result.ts";
import type { SideRow } from "./side-row.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

/** A random job, compiled, with a table of few rows; and what the interpreter makes of the same bytes. */
class Trial {
  readonly random: RandomJob;
  readonly compiled: CompiledJob;
  readonly sink: RecordingSink;
  private readonly rows = new Map<string, { readonly value: RecordValue; readonly row: SideRow }>();

  constructor(seed: number) {
    this.random = new RandomJob(seededRandom(seed));
    const { model } = this.random;
    this.sink = createRecordingSink(model);
    const { fields } = model.sideInputs[0]!;
    const reader = compileRowReader(fields);
    for (const key of ["a", "b", "ab", "é", "__proto__", "0"]) {
      if (this.random.chance(4)) continue;
      const value = this.random.row();
      const bytes = encodeRecord(fields, value);
      const offsets = new Int32Array(reader.offsetCount);
      expect(reader.read(bytes, 0, bytes.length, offsets)).toBe(true);
      this.rows.set(key, { value: decodeRecord(fields, bytes, 0, bytes.length), row: { bytes, offsets } });
    }
    this.compiled = compileJob(model, model.jobs[0]!, {
      side: () => ({
        find: (bytes, start, end) => this.rows.get(Buffer.from(bytes.subarray(start, end)).toString("utf8"))?.row,
      }),
    });
  }

  get fields() {
    return this.random.model.events[0]!.fields;
  }

  /** Blocks of any size, with and without their length in bytes. */
  readonly cut: CutBlock = (left) => ({ count: 1 + this.random.below(left), sized: this.random.chance(2) });

  interpret(bytes: Uint8Array, start: number, end: number): Interpreted | "malformed" {
    let event: RecordValue;
    try {
      event = decodeRecord(this.fields, bytes, start, end);
    } catch (error) {
      if (error instanceof RdgError && error.code === "malformed_record") return "malformed";
      throw error;
    }
    const { model } = this.random;
    return interpretJob(model, model.jobs[0]!, event, eventTimeMs, (_, key) => this.rows.get(key)?.value);
  }

  /** Runs the compiled job and holds it to the interpreter. */
  check(bytes: Uint8Array, start: number, end: number): number {
    const { compiled, sink } = this;
    const expected = this.interpret(bytes, start, end);
    sink.clear();
    compiled.counts.emitted = 0;
    compiled.counts.skipped = 0;
    const result = compiled.process(bytes, start, end, eventTimeMs, sink);
    if (expected === "malformed") expect(result).toBe(malformedRecord);
    else if (expected.kind === "filtered") expect(result).toBe(filtered);
    else if (expected.kind === "quarantined") expect(resultCodes[result]).toBe(expected.cause);
    else {
      expect(result).toBe(mapped);
      deepStrictEqual(sink.updates, expected.updates);
      expect(compiled.counts).toStrictEqual({ emitted: expected.updates.length, skipped: expected.skipped });
      return result;
    }
    expect(sink.calls).toBe(0);
    expect(compiled.counts).toStrictEqual({ emitted: 0, skipped: 0 });
    expect(compiled.explain(result)).toMatch(/./);
    return result;
  }
}

/** The record somewhere in a larger buffer of other bytes. */
function embed(
  trial: Trial,
  record: Uint8Array,
): { readonly bytes: Uint8Array; readonly start: number; readonly end: number } {
  const start = trial.random.below(10);
  const bytes = new Uint8Array(start + record.length + trial.random.below(10)).fill(trial.random.pick([0, 2, 255]));
  bytes.set(record, start);
  return { bytes, start, end: start + record.length };
}

// Compiling hundreds of jobs takes seconds, on a busy machine many.
describe("a compiled job", { timeout: 120_000 }, () => {
  test("does what the interpreter does", () => {
    const seen = new Map<number, number>();
    fc.assert(
      fc.property(seeds, (seed) => {
        const trial = new Trial(seed);
        for (let i = 0; i < 8; i++) {
          const { bytes, start, end } = embed(trial, encodeRecord(trial.fields, trial.random.event(), trial.cut));
          const result = trial.check(bytes, start, end);
          seen.set(result, (seen.get(result) ?? 0) + 1);
        }
      }),
      { numRuns: 300 },
    );
    // The random jobs must reach every outcome of well-formed events.
    for (const result of [mapped, filtered, timeInFuture, idTooLong]) expect(seen.get(result)).toBeGreaterThan(0);
  });

  test("reads what a foreign writer writes", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const trial = new Trial(seed);
        const write = createForeignWriter(trial.fields);
        for (let i = 0; i < 3; i++) {
          const event = trial.random.event();
          const record = write(event);
          deepStrictEqual(decodeRecord(trial.fields, record, 0, record.length), event);
          const { bytes, start, end } = embed(trial, record);
          trial.check(bytes, start, end);
        }
      }),
      { numRuns: 80 },
    );
  });

  test("quarantines damaged records whole, as the strict reader does", () => {
    let malformed = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        const trial = new Trial(seed);
        const { random } = trial;
        for (let i = 0; i < 12; i++) {
          const { bytes, start, end } = embed(trial, encodeRecord(trial.fields, random.event(), trial.cut));
          const damage = random.below(4);
          for (let left = damage === 0 ? 0 : 1 + random.below(3); left > 0; left--) {
            const at = start + random.below(end - start);
            bytes[at] = random.chance(2) ? random.below(256) : bytes[at]! ^ (1 << random.below(8));
          }
          const moved = damage === 0 ? random.below(end - start) - (end - start) : random.pick([0, 0, 1, -1]);
          const result = trial.check(bytes, start, Math.min(bytes.length, Math.max(start, end + moved)));
          if (result === malformedRecord) malformed++;
        }
      }),
      { numRuns: 250 },
    );
    expect(malformed).toBeGreaterThan(300);
  });

  test("takes any bytes at all without throwing", () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (seed, garbage) => {
        const trial = new Trial(seed);
        for (const bytes of garbage) trial.check(bytes, 0, bytes.length);
      }),
      { numRuns: 60 },
    );
  });
});
