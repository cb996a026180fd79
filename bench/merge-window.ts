import { seededRandom } from "../src/core/random.ts";
// Micro-benchmark of the merge window and the packed batch: the streaming example's seven upserts per event, hardly any key repeated within a window but titles.
// Prints one JSON line per window size: CPU microseconds per event of filling the window, of encoding it (`take`) and of decoding the batch.
//   node --conditions=rdg-source bench/merge-window.ts [events]
import { createMergeWindow, type MergeWindow } from "../src/jobs/operators/merge-window.ts";
import type { GraphModel } from "../src/model/definition.ts";
import { decodeUpdateBatch } from "../src/model/update/codec.ts";
import type { BytesSink, CounterSink, Int64Sink, NumberSink, SetSink } from "../src/model/update/sink.ts";

const model: GraphModel = {
  format: 1,
  name: "streaming",
  events: [],
  sideInputs: [],
  nodes: [
    { name: "account", properties: [{ name: "firstCountry", type: { kind: "string" }, merge: "first" }] },
    { name: "profile", properties: [] },
    { name: "device", properties: [{ name: "countries", type: { kind: "string" }, merge: "union" }] },
    {
      name: "title",
      properties: [
        { name: "name", type: { kind: "string" }, merge: "last" },
        { name: "kind", type: { kind: "enum", symbols: ["film", "episode", "game"] }, merge: "last" },
      ],
    },
  ],
  edges: [
    { name: "has_profile", from: "account", to: "profile", properties: [] },
    { name: "uses", from: "account", to: "device", properties: [] },
    {
      name: "watched",
      from: "profile",
      to: "title",
      properties: [
        { name: "positionMs", type: { kind: "int64" }, merge: "last" },
        { name: "furthestMs", type: { kind: "int64" }, merge: "max" },
        { name: "plays", type: { kind: "int64" }, merge: "sum" },
      ],
    },
  ],
  jobs: [],
  skewMaxMs: 300_000,
  latenessMs: 3_600_000,
  tombstoneGraceMs: 86_400_000,
};

const fieldCount = 6;

/** Events as a job meets them: the bytes of account, profile, device, title, country and name one after another, with their offsets. */
interface Events {
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  readonly timesMs: Float64Array;
  readonly positionsMs: Float64Array;
  readonly kinds: Uint8Array;
}

function makeEvents(count: number): Events {
  const random = seededRandom(1);
  const countries = ["DE", "NL", "FR", "US", "BR", "JP", "IN", "GB"];
  const offsets = new Uint32Array(count * fieldCount + 1);
  const parts: string[] = [];
  const timesMs = new Float64Array(count);
  const positionsMs = new Float64Array(count);
  const kinds = new Uint8Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const account = random.below(200_000);
    const profile = random.below(3);
    const title = Math.floor(20_000 ** (random.below(1_000_000) / 1_000_000));
    const fields = [
      `acc-${String(account).padStart(8, "0")}`,
      `prf-${String(account).padStart(8, "0")}-${profile}`,
      `dev-${String(account * 4 + random.below(4)).padStart(10, "0")}`,
      `ttl-${String(title).padStart(6, "0")}`,
      countries[account % countries.length]!,
      `The long name of title ${title}`,
    ];
    for (const [f, text] of fields.entries()) {
      parts.push(text);
      at += text.length;
      offsets[i * fieldCount + f + 1] = at;
    }
    timesMs[i] = 1_700_000_000_000 + Math.floor(i / 100) - (random.below(20) === 0 ? random.below(600_000) : 0);
    positionsMs[i] = random.below(7_200_000);
    kinds[i] = title % 3;
  }
  return { bytes: new TextEncoder().encode(parts.join("")), offsets, timesMs, positionsMs, kinds };
}

/** What a compiled plan does, by hand. */
function createFill(window: MergeWindow, events: Events): (from: number, to: number) => void {
  const { nodes, edges } = window.sink;
  const [accounts, profiles, devices, titles] = [nodes[0]!, nodes[1]!, nodes[2]!, nodes[3]!];
  const [hasProfile, uses, watched] = [edges[0]!, edges[1]!, edges[2]!];
  const firstCountry = accounts.properties[0] as BytesSink;
  const countries = devices.properties[0] as SetSink;
  const name = titles.properties[0] as BytesSink;
  const kind = titles.properties[1] as NumberSink;
  const position = watched.properties[0] as Int64Sink;
  const furthest = watched.properties[1] as Int64Sink;
  const plays = watched.properties[2] as CounterSink;
  const { bytes, offsets, timesMs, positionsMs, kinds } = events;
  return (from, to) => {
    for (let i = from; i < to; i++) {
      const o = i * fieldCount;
      const time = timesMs[i]!;
      const account = accounts.intern(bytes, offsets[o]!, offsets[o + 1]!);
      firstCountry.set(accounts.upsert(account, time), time, bytes, offsets[o + 4]!, offsets[o + 5]!);
      const profile = profiles.intern(bytes, offsets[o + 1]!, offsets[o + 2]!);
      profiles.upsert(profile, time);
      const device = devices.intern(bytes, offsets[o + 2]!, offsets[o + 3]!);
      countries.addBytes(devices.upsert(device, time), bytes, offsets[o + 4]!, offsets[o + 5]!);
      const title = titles.intern(bytes, offsets[o + 3]!, offsets[o + 4]!);
      const titleRow = titles.upsert(title, time);
      name.set(titleRow, time, bytes, offsets[o + 5]!, offsets[o + 6]!);
      kind.set(titleRow, time, kinds[i]!);
      hasProfile.upsert(account, profile, time);
      uses.upsert(account, device, time);
      const row = watched.upsert(profile, title, time);
      position.set(row, time, positionsMs[i]!);
      furthest.set(row, time, positionsMs[i]!);
      if (i % 3 === 0) plays.add(row, 1);
    }
    window.countEvents(to - from);
  };
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function measure(events: Events, count: number, windowEvents: number): void {
  const window = createMergeWindow(model);
  const fill = createFill(window, events);
  const cost = { fill: 0, take: 0, decode: 0 };
  let bytes = 0;
  let rows = 0;
  for (let from = 0; from + windowEvents <= count; from += windowEvents) {
    const start = cpuUs();
    fill(from, from + windowEvents);
    const filled = cpuUs();
    const packed = window.take()!;
    const taken = cpuUs();
    const batch = decodeUpdateBatch(packed);
    const decoded = cpuUs();
    // The first third warms up.
    if (from < count / 3) continue;
    cost.fill += filled - start;
    cost.take += taken - filled;
    cost.decode += decoded - taken;
    bytes += packed.length;
    rows += [...batch.nodes, ...batch.edges].reduce((sum, one) => sum + one.count, 0);
  }
  const measured =
    Math.floor((count - Math.ceil(count / 3 / windowEvents) * windowEvents) / windowEvents) * windowEvents;
  const perEvent = (total: number): number => Math.round((total / measured) * 1000) / 1000;
  console.log(
    JSON.stringify({
      bench: "merge-window",
      windowEvents,
      fillUsPerEvent: perEvent(cost.fill),
      takeUsPerEvent: perEvent(cost.take),
      decodeUsPerEvent: perEvent(cost.decode),
      bytesPerEvent: perEvent(bytes),
      rowsPerEvent: perEvent(rows),
    }),
  );
}

const count = Number(process.argv[2] ?? 600_000);
const events = makeEvents(count);
for (const windowEvents of [2000, 5000, 20_000]) measure(events, count, windowEvents);
