// Micro-benchmark of a compiled job on the streaming example: CPU microseconds per event of reading it (`read`), of reading and running the plan over a
// sink that only counts (`plan`), and over the merge window (`window`, emptied by `take` outside of the clock). One JSON line per round.
//   node --conditions=rdg-source bench/job-plan.ts [rounds]
import { seededRandom } from "../src/core/random.ts";
import { createMergeWindow } from "../src/jobs/operators/merge-window.ts";
import { compileJob, compileRowReader } from "../src/jobs/plan/compiler.ts";
import { mapped } from "../src/jobs/plan/result.ts";
import type { GraphModel, PropertyModel } from "../src/model/definition.ts";
import { propertyFormOf } from "../src/model/update/batch.ts";
import type { PropertySink, UpdateSink } from "../src/model/update/sink.ts";
import { encodeRecord } from "../test/plan/avro.ts";
import { encodePlayback, playbackJob, streaming } from "../test/plan/streaming.ts";

const eventCount = 20_000;
const atMs = 1_700_000_000_000;

function makeEvents(): { readonly bytes: Uint8Array; readonly starts: Uint32Array } {
  const random = seededRandom(1);
  const starts = new Uint32Array(eventCount + 1);
  const parts = Array.from({ length: eventCount }, (_, i) => {
    const account = String(random.below(200_000)).padStart(8, "0");
    const event = encodePlayback({
      accountId: `acc-${account}`,
      profileId: `acc-${account}-p${random.below(3)}`,
      deviceId: `device-${account}-${random.below(4)}`,
      titleId: `title-${String(random.below(20_000)).padStart(6, "0")}`,
      action: ["start", "progress", "stop"][random.below(3)],
      positionMs: random.below(7_200_000),
      country: ["DE", "NL", "FR", "US"][random.below(4)],
      at: atMs + i,
    });
    starts[i + 1] = starts[i]! + event.length;
    return event;
  });
  return { bytes: new Uint8Array(Buffer.concat(parts)), starts };
}

/** Does nothing with what it gets but keep the calls from being optimised away. */
function createCountingSink(model: GraphModel): UpdateSink & { count: number } {
  const count = (value: number): void => {
    sink.count += value;
  };
  const property = (of: PropertyModel): PropertySink => {
    const form = propertyFormOf(of);
    const setNull = (row: number): void => count(row);
    switch (form) {
      case "number":
        return { form, set: (row, _, value) => count(row + value), setNull };
      case "int64":
        return { form, set: (row, _, value) => count(row + Number(value)), setNull };
      case "bytes":
        return { form, set: (row, _, __, start, end) => count(row + end - start), setNull };
      case "counter":
        return { form, add: (row, value) => count(row + Number(value)) };
      case "set":
        return {
          form,
          addNumber: (row, value) => count(row + value),
          addInt64: (row, value) => count(row + Number(value)),
          addBytes: (row, _, start, end) => count(row + end - start),
          addNull: count,
        };
    }
  };
  const sink: UpdateSink & { count: number } = {
    count: 0,
    nodes: model.nodes.map(({ properties }) => ({
      intern: (_, start, end) => end - start,
      upsert: (reference) => reference,
      remove: count,
      properties: properties.map(property),
    })),
    edges: model.edges.map(({ properties }) => ({
      upsert: (from, to) => from + to,
      remove: count,
      properties: properties.map(property),
    })),
  };
  return sink;
}

const rowReader = compileRowReader(streaming.sideInputs[0]!.fields);
const rowBytes = encodeRecord(streaming.sideInputs[0]!.fields, {
  titleId: "t",
  name: "The name of a title",
  kind: "film",
});
const row = { bytes: new Uint8Array(rowBytes), offsets: new Int32Array(rowReader.offsetCount) };
rowReader.read(row.bytes, 0, row.bytes.length, row.offsets);

const { bytes, starts } = makeEvents();
const job = compileJob(streaming, playbackJob, { side: () => ({ find: () => row }) });
const counting = createCountingSink(streaming);
const window = createMergeWindow(streaming);

function check(result: number): void {
  if (result !== mapped) throw new Error(job.explain(result));
}

function measure(repeats: number, run: (start: number, end: number) => number, after: () => void): number {
  let microseconds = 0;
  for (let k = 0; k < repeats; k++) {
    const before = process.cpuUsage();
    for (let i = 0; i < eventCount; i++) check(run(starts[i]!, starts[i + 1]!));
    const used = process.cpuUsage(before);
    microseconds += used.user + used.system;
    after();
  }
  return Number((microseconds / (repeats * eventCount)).toFixed(3));
}

const nothing = (): void => undefined;
for (let round = Number(process.argv[2] ?? 5); round > 0; round--) {
  const read = measure(20, (start, end) => job.read(bytes, start, end, atMs), nothing);
  const plan = measure(20, (start, end) => job.process(bytes, start, end, atMs, counting), nothing);
  const withWindow = measure(
    20,
    (start, end) => job.process(bytes, start, end, atMs, window.sink),
    () => void window.take(),
  );
  process.stdout.write(
    `${JSON.stringify({ bytesPerEvent: bytes.length / eventCount, read, plan, window: withWindow })}\n`,
  );
}
