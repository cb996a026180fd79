// A request as the gateway works on it: parts of one event or side input each, read into good records and findings, and what is told of the bad ones.
import type { RecordBatch } from "../log/port.ts";
import type { AvroBodyReader } from "./avro-body.ts";
import type { Findings } from "./findings.ts";
import { BadRecords, type RecordFormat, type RecordProblem, type Stray, problemsListedMax } from "./port.ts";
import type { Target } from "./target.ts";

export interface GatewayPart {
  readonly target: Target;
  readonly format: RecordFormat;
  readonly body: Buffer;
  /** The records' numbers in the whole request, where they are not their places in the body. */
  readonly indexes?: readonly number[] | undefined;
}

export interface GatewayRequest {
  readonly parts: readonly GatewayPart[];
  readonly strays: readonly Stray[];
  readonly partial: boolean;
  readonly idempotencyKey: string | undefined;
}

export interface ReadPart extends Omit<GatewayPart, "format"> {
  readonly findings: Findings;
  readonly count: number;
  readonly batches: readonly (readonly [partition: number, batch: RecordBatch])[];
}

/** The part's good records by partition. Synchronous: the transcoder's outputs are shared by all requests. */
export function transcode(
  { target, format, body, indexes }: GatewayPart,
  timeMaxMs: number,
  readAvroBody: AvroBodyReader | undefined,
): ReadPart {
  const { transcoder } = target;
  try {
    const { findings, count } =
      readAvroBody?.(timeMaxMs) ??
      (format === "json" ? transcoder.readJson(body, timeMaxMs) : transcoder.readLines(body, timeMaxMs));
    const filled = transcoder.outputs.flatMap((output, partition) => (output.count > 0 ? [partition] : []));
    const batches = filled.map((partition) => [partition, transcoder.outputs[partition]!.take()] as const);
    return { target, body, findings, count, indexes, batches };
  } finally {
    transcoder.reset();
  }
}

/** What a request that is not partial fails with, counted: nothing of it is stored. Undefined where all of its records are good. */
export function refusalOf(
  read: readonly ReadPart[],
  strays: readonly Stray[],
  strayCounts: { rejected: number },
): BadRecords | undefined {
  const problemCount = read.reduce((sum, { findings }) => sum + findings.problemCount, strays.length);
  if (problemCount === 0) return undefined;
  for (const { target, count } of read) target.rejected += count;
  strayCounts.rejected += strays.length;
  const recordCount = read.reduce((sum, { findings }) => sum + findings.records.length, strays.length);
  return new BadRecords(problemsOf(read, strays), problemCount, recordCount);
}

/** The first of all, by the records' numbers in the request. */
export function problemsOf(read: readonly ReadPart[], strays: readonly Stray[]): readonly RecordProblem[] {
  const [only] = read;
  if (read.length === 1 && strays.length === 0 && only!.indexes === undefined) return only!.findings.problems;
  const problems = read.flatMap(({ findings, indexes }) =>
    findings.problems.map((problem) => ({ ...problem, index: indexes?.[problem.index] ?? problem.index })),
  );
  problems.push(...strays.map(({ problem }) => problem));
  return problems.sort((a, b) => a.index - b.index).slice(0, problemsListedMax);
}
