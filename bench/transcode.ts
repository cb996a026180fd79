// Micro-benchmark of the gateway's transcoder on the streaming example's event: NDJSON bodies of 500 events of about 190 bytes to framed Avro, by partition.
// Prints one JSON line per form of the bodies: CPU microseconds per event, buffers handed over included.
//   node --conditions=rdg-source bench/transcode.ts [events] [partitions]
import { seededRandom } from "../src/core/random.ts";
import { createOutputs } from "../src/gateway/record-output.ts";
import { Transcoder } from "../src/gateway/transcoder.ts";
import type { FieldModel } from "../src/model/value-type.ts";

const events = Number(process.argv[2] ?? 500_000);
const partitions = Number(process.argv[3] ?? 4);
const eventsPerBody = 500;
const bodies = 40;
const nowMs = Date.UTC(2026, 10, 21, 12);

const field = (name: string, type: FieldModel["type"], optional = false): FieldModel => ({ name, type, optional });
const fields: readonly FieldModel[] = [
  field("accountId", { kind: "string" }),
  field("profileId", { kind: "string" }),
  field("deviceId", { kind: "string" }),
  field("titleId", { kind: "string" }, true),
  field("action", { kind: "enum", symbols: ["start", "progress", "stop"] }),
  field("positionMs", { kind: "int64" }),
  field("country", { kind: "string" }, true),
  field("at", { kind: "timestamp" }),
];

const random = seededRandom(1);
const pick = (items: readonly string[]): string => items[random.below(items.length)]!;
const makeEvent = (): Record<string, unknown> => ({
  accountId: `account-${random.below(300_000)}`,
  profileId: `profile-${random.below(270_000)}`,
  deviceId: `device-${random.below(270_000)}`,
  titleId: `title-${random.below(5_000)}`,
  action: pick(["start", "progress", "stop"]),
  positionMs: random.below(7_200_000),
  country: pick(["DE", "NL", "FR", "US"]),
  at: new Date(nowMs - random.below(600_000)).toISOString(),
});

const reversed = (event: object): object => Object.fromEntries(Object.entries(event).toReversed());
const forms: Readonly<Record<string, (event: Record<string, unknown>) => string>> = {
  "declared order": (event) => JSON.stringify(event),
  "another order": (event) => JSON.stringify(reversed(event)),
  "another order, blanks": (event) => JSON.stringify(reversed(event), null, 1).replaceAll("\n", ""),
  "slow path": (event) => JSON.stringify({ ...event, country: "D\tE" }),
};

const transcoder = new Transcoder({
  fields,
  key: "accountId",
  time: "at",
  schemaId: 1,
  outputs: createOutputs(partitions, false),
  recordBytesMax: 1_048_576,
  recordsMax: 100_000,
});

function run(list: readonly Buffer[], count: number): number {
  const start = process.cpuUsage();
  for (let done = 0; done < count; done += eventsPerBody) {
    const { findings } = transcoder.readLines(list[(done / eventsPerBody) % list.length]!, nowMs);
    if (findings.problemCount > 0) throw new Error(findings.problems[0]!.reason);
    for (const output of transcoder.outputs) output.take();
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / count;
}

const made = Array.from({ length: bodies }, () => Array.from({ length: eventsPerBody }, makeEvent));
for (const [form, write] of Object.entries(forms)) {
  const list = made.map((body) => Buffer.from(body.map((event) => `${write(event)}\n`).join("")));
  run(list, Math.min(events, 100_000));
  const usPerEvent = Number(run(list, events).toFixed(3));
  const bytesPerEvent = Math.round(list[0]!.length / eventsPerBody);
  process.stdout.write(`${JSON.stringify({ form, partitions, bytesPerEvent, usPerEvent })}\n`);
}
