// `rdg produce`: sends newline-delimited JSON records to a running RDG, in batches, with retries that never store a record twice.
import { createReadStream, statSync } from "node:fs";
import type { Command } from "commander";
import { systemTimers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { randomId } from "../core/random.ts";
import { type ServerOptions, addServerOptions, requestJson } from "./connection.ts";
import { exitCodes, print, printJson, say, type Finish } from "./output.ts";
import { startProgress } from "./progress.ts";

interface ProduceOptions extends ServerOptions {
  readonly input?: boolean;
  readonly partial?: boolean;
  readonly batch: string;
  readonly json?: boolean;
}

interface Answer {
  readonly accepted: number;
  readonly positions: readonly string[];
  /** The first 100 problems; `rejectedCount` counts the records. */
  readonly rejected?: readonly { readonly index: number; readonly field?: string; readonly reason: string }[];
  readonly rejectedCount?: number;
}

const batchBytesMax = 4_000_000;
const inFlightMax = 4;
const attemptsMax = 12;

export function addProduceCommand(program: Command, finish: Finish): void {
  const command = program
    .command("produce")
    .description("send events: a JSON object per line, from a file or from stdin")
    .argument("<event>", "name of the event, or of the side input with --input")
    .argument("[file]", "file of JSON lines; stdin when not given or -");
  addServerOptions(command, "address of the RDG to send to")
    .option("--input", "send rows of a side input instead of events")
    .option("--partial", "quarantine bad records instead of stopping at them")
    .option("--batch <records>", "records per request", "500")
    .option("--json", "print the summary as JSON")
    .addHelpText("after", "\nExample:\n  $ rdg produce playback < events.ndjson")
    .action(async (event: string, file: string | undefined, options: ProduceOptions) => {
      const summary = await produce(event, file, options);
      const { accepted, rejected, positions } = summary;
      if (options.json === true) printJson({ accepted, rejected, positions: [...positions.values()] });
      else print(`${accepted} accepted, ${rejected} rejected`);
      if (rejected > 0) finish(exitCodes.usage);
    });
}

interface Summary {
  accepted: number;
  rejected: number;
  /** Last position per partition. */
  readonly positions: Map<string, string>;
}

async function produce(event: string, file: string | undefined, options: ProduceOptions): Promise<Summary> {
  const batchMax = Number(options.batch);
  if (!Number.isInteger(batchMax) || batchMax < 1 || batchMax > 100_000) {
    throw new RdgError("invalid", "bad_batch", `--batch ${options.batch} is not a number from 1 to 100000.`);
  }
  const path = `/v1/${options.input === true ? "inputs" : "events"}/${encodeURIComponent(event)}${options.partial === true ? "?partial=true" : ""}`;
  const source = file === undefined || file === "-" ? process.stdin : createReadStream(file);
  const progress = startProgress("events", sizeOf(file));
  const summary: Summary = { accepted: 0, rejected: 0, positions: new Map() };
  const inFlight = new Set<Promise<void>>();
  let failure: Error | undefined;
  let firstLine = 0;
  try {
    for await (const batch of batches(source, batchMax)) {
      const start = firstLine;
      firstLine += batch.lines;
      const sent = send(options, path, batch.bytes, start)
        .then((answer) => {
          summary.accepted += answer.accepted;
          summary.rejected += answer.rejectedCount ?? 0;
          for (const { index, field, reason } of answer.rejected ?? []) {
            say(`line ${start + index + 1}${field === undefined ? "" : `, ${field}`}: ${reason}`);
          }
          for (const position of answer.positions) summary.positions.set(position.split("@")[0]!, position);
          progress.add(answer.accepted, batch.bytes.length);
        })
        .catch((error: unknown) => {
          failure ??= error instanceof Error ? error : new Error(String(error));
        })
        .finally(() => inFlight.delete(sent));
      inFlight.add(sent);
      if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
      if (failure !== undefined) break;
    }
    await Promise.all(inFlight);
  } finally {
    progress.stop();
  }
  if (failure !== undefined) {
    if (summary.accepted > 0) say(`${summary.accepted} records were accepted before this failure.`);
    throw failure;
  }
  return summary;
}

/** The size that progress counts to; unknown for stdin. @throws RdgError not_found */
function sizeOf(file: string | undefined): number | undefined {
  if (file === undefined || file === "-") return undefined;
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats?.isFile() === true) return stats.size;
  throw new RdgError("not_found", "no_file", `There is no file ${file}.`);
}

/** Cuts a stream of lines into batches that end at a line's end. */
async function* batches(
  source: AsyncIterable<string | Buffer>,
  linesMax: number,
): AsyncGenerator<{ bytes: Buffer; lines: number }> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let lines = 0;
  const take = (): { bytes: Buffer; lines: number } => {
    const batch = { bytes: Buffer.concat(pending), lines };
    pending = [];
    pendingBytes = 0;
    lines = 0;
    return batch;
  };
  for await (const chunk of source) {
    const buffer = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    let start = 0;
    for (let end = buffer.indexOf(10); end >= 0; end = buffer.indexOf(10, end + 1)) {
      lines++;
      if (lines < linesMax && pendingBytes + (end - start) < batchBytesMax) continue;
      pending.push(buffer.subarray(start, end + 1));
      yield take();
      start = end + 1;
    }
    pending.push(buffer.subarray(start));
    pendingBytes += buffer.length - start;
  }
  if (pendingBytes > 0) yield take();
}

async function send(server: ServerOptions, path: string, body: Buffer, firstLine: number): Promise<Answer> {
  const headers = { "content-type": "application/x-ndjson", "idempotency-key": randomId() };
  for (let attempt = 1; ; attempt++) {
    try {
      return await requestJson<Answer>(server, path, { method: "POST", headers, body: new Uint8Array(body) });
    } catch (error) {
      if (!(error instanceof RdgError && error.retryable) || attempt === attemptsMax) throw atLine(error, firstLine);
      await systemTimers.sleep(Math.max(error.retryAfterMs ?? 0, Math.min(5000, 100 * 2 ** (attempt - 1))));
    }
  }
}

function atLine(error: unknown, firstLine: number): unknown {
  if (firstLine === 0 || !(error instanceof RdgError) || error.kind !== "invalid") return error;
  return new RdgError(
    error.kind,
    error.code,
    `${error.message}\n(record 0 is line ${firstLine + 1} of the input)`,
    error,
  );
}
