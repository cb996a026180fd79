// One run of a whole line: a random definition, random requests, rows of its side input in between, restarts; held to the oracle again and again.
import { deepStrictEqual } from "node:assert";
import { join } from "node:path";
import { expect } from "vitest";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { BadRecords, type ProduceAnswer, type ProduceRequest } from "../../src/gateway/port.ts";
import type { RecordValue } from "../../src/jobs/plan/decode.ts";
import { openEmbeddedLog } from "../../src/log/embedded/log.ts";
import { validateRecord } from "../../src/model/avro/json-record.ts";
import { timestampOf } from "../../src/model/avro/record-encoder.ts";
import { modelSchemas } from "../../src/model/avro/schemas.ts";
import type { FieldModel, GraphModel } from "../../src/model/definition.ts";
import { partitionOf } from "../../src/model/partitioner.ts";
import { parsePosition, type Position } from "../../src/model/position.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { EmbeddedStore } from "../../src/store/embedded/store.ts";
import { SimulatedDisk } from "../log/simulated-disk.ts";
import { encodeRecord } from "../plan/avro.ts";
import { RandomJob } from "../plan/random-job.ts";
import { nowMs as requestNowMs, plainGraph } from "../query/random-graph.ts";
import { slowFileSystem } from "../sim/slow-disk.ts";
import { type ProcessTime, VirtualTime } from "../sim/virtual-time.ts";
import { closeLine, graphOfModel, type Line, openLine } from "./embedded-line.ts";
import { jsonText } from "./json-text.ts";
import { expectedOf, graphMeant, listingOf, plainGraphOf, type Stored, storedIn } from "./oracle.ts";
import { expectTraversals } from "./traversals.ts";

const dayMs = 86_400_000;
/** Of types that have one. Between phases more passes than this and twice the lateness; within one, less. */
const ttlMs = 200_000;
const latenessMs = 10_000;
const phaseMs = 400_000;
const input = "side_input";
const event = "happened";

interface Sent {
  readonly request: ProduceRequest;
  readonly answer: ProduceAnswer;
}

export class RandomLine {
  readonly #random: Random;
  readonly #job: RandomJob;
  readonly #model: GraphModel;
  readonly #registry: SchemaRegistry;
  readonly #folder: string;
  readonly #disk: SimulatedDisk;
  readonly #time: VirtualTime;
  readonly #ttlMs: number | undefined;
  #process: ProcessTime;
  #line!: Line;
  #store!: EmbeddedStore;
  /** What was accepted, per partition in order; of the side input keys with rows. */
  readonly #events: RecordValue[][];
  readonly #rows: (readonly [key: string, row: RecordValue | undefined])[] = [];
  readonly #sent: Sent[] = [];
  #quarantinedByGateway = 0;
  #lastPositions: Position[] = [];

  /** `registry` must take any schema; `folder` is for the store. */
  constructor(seed: number, registry: SchemaRegistry, folder: string) {
    const random = (this.#random = seededRandom(seed));
    this.#ttlMs = random.below(3) === 0 ? ttlMs : undefined;
    this.#job = new RandomJob(random, {
      declarable: true,
      partitions: 1 + random.below(3),
      dedupHorizonMs: this.#pick([1000, 60_000]),
      settings: {
        windowMs: this.#pick([0, 20, 1000]),
        windowKeysMax: this.#pick([1, 10, 1000]),
        windowBytesMax: this.#pick([1024, 1_000_000]),
        parallelism: 1,
      },
      latenessMs,
      tombstoneGraceMs: 30 * dayMs,
      ttlMs: this.#ttlMs,
    });
    this.#model = this.#job.model;
    this.#registry = registry;
    this.#folder = folder;
    this.#disk = new SimulatedDisk(seededRandom(seed + 1));
    this.#time = new VirtualTime(requestNowMs, seededRandom(seed + 2));
    this.#process = this.#time.process();
    this.#events = Array.from({ length: this.#model.events[0]!.partitions }, () => []);
  }

  async run(): Promise<void> {
    await this.#open();
    for (let phase = 1 + this.#random.below(3); phase > 0; phase--) {
      for (let round = 1 + this.#random.below(4); round > 0; round--) {
        await this.#round();
        if (this.#random.below(4) === 0) await this.#restart();
      }
      await this.#check();
      // Whatever has a ttl expires, and what comes begins afresh.
      await this.#time.pass(this.#ttlMs === undefined ? 10_000 : phaseMs);
    }
    await this.#closeOrderly();
    await this.#open();
    await this.#check();
    await this.#closeOrderly();
  }

  // --- the line ----------------------------------------------------------------------------------------------------

  async #open(): Promise<void> {
    const time = (this.#process = this.#time.process());
    const opening = async (): Promise<Line> => {
      const log = await openEmbeddedLog({
        folder: "/log",
        clock: time,
        timers: time,
        random: seededRandom(this.#random.below(2 ** 31)),
        fileSystem: slowFileSystem(this.#disk.process(), time, () => this.#random.below(4)),
        settings: { segmentBytes: this.#pick([3000, 1_000_000]), readChunkBytes: 512, tailBytesMax: 4000 },
      });
      const store = await time.hold(
        openEmbeddedStore({
          folder: join(this.#folder, "store"),
          model: this.#model,
          clock: time,
          timers: time,
          turns: time,
          settings: { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: 1e12 },
        }),
      );
      // Registering writes files.
      const graph = graphOfModel(this.#model);
      for (const { subject, schema } of modelSchemas(this.#model)) {
        const { id } = await time.hold(this.#registry.register(subject, schema));
        this.#ids.set(subject.slice(0, -"-value".length), id);
      }
      this.#store = store;
      return openLine({ graph, log, registry: this.#registry, store, clock: time, timers: time, turns: time });
    };
    this.#line = await this.#time.until(opening(), "opening");
  }

  async #closeOrderly(): Promise<void> {
    const store = this.#store;
    const close = store.close.bind(store);
    store.close = () => this.#process.hold(close());
    await this.#time.until(closeLine(this.#line), "closing");
    this.#process.kill();
  }

  /** In order, or by abandoning everything: killed, or by a power cut. */
  async #restart(): Promise<void> {
    const how = this.#random.below(4);
    if (how === 0) return this.#closeOrderly().then(() => this.#open());
    if (how === 1) await this.#time.until(this.#process.hold(this.#store.checkpoint()), "a checkpoint");
    this.#process.kill();
    if (how === 2) this.#disk.powerLoss();
    else this.#disk.kill();
    await this.#open();
  }

  // --- what is sent ------------------------------------------------------------------------------------------------

  async #round(): Promise<void> {
    const requests: Promise<void>[] = [];
    const begin = (request: Promise<void>): void => {
      request.catch(() => undefined);
      requests.push(request);
    };
    for (let i = this.#random.below(5); i >= 0; i--) {
      if (this.#random.below(3) === 0) begin(this.#sendRows());
      begin(this.#random.below(6) === 0 && this.#sent.length > 0 ? this.#sendAgain() : this.#sendEvents());
      if (this.#random.below(2) === 0) await this.#time.until(Promise.all(requests), "requests");
      await this.#time.pass(this.#random.below(this.#pick([2, 100, 2000])));
    }
    await this.#time.until(Promise.all(requests), "requests");
  }

  async #sendEvents(): Promise<void> {
    const { fields, key, time } = this.#model.events[0]!;
    const records = Array.from({ length: 1 + this.#random.below(12) }, () => this.#randomEvent());
    // Within one request, too, a record may come twice.
    if (this.#random.below(3) === 0) records.push(this.#pick(records));
    const texts = records.map((record) => this.#maybeDamaged(jsonText(fields, record, this.#random)));
    const timeMaxMs = this.#process.now() + this.#model.skewMaxMs;
    const good = texts.map((text) => {
      const value = JSON.parse(text) as { readonly [name: string]: unknown };
      return validateRecord(fields, value, key).length === 0 && timestampOf(value[time]) <= timeMaxMs;
    });
    const partial = this.#random.below(2) === 0;
    if (records.length === 1 && good[0]! && this.#random.below(2) === 0) {
      return this.#produce(this.#avroRequest(records[0]!), records);
    }
    const request = this.#request("event", event, texts, partial);
    if (partial || good.every(Boolean)) {
      const bad = good.filter((each) => !each).length;
      this.#quarantinedByGateway += bad;
      const accepted = records.filter((_, i) => good[i]);
      return this.#produce(request, accepted, bad);
    }
    await expect(this.#line.gateway.produce(request)).rejects.toBeInstanceOf(BadRecords);
  }

  async #produce(request: ProduceRequest, accepted: readonly RecordValue[], rejected = 0): Promise<void> {
    const { key, partitions } = this.#model.events[0]!;
    // Appended in the order of the calls, so noted before the answer comes.
    for (const record of accepted) {
      const bytes = Buffer.from(record[key] as string);
      this.#events[partitionOf(bytes, 0, bytes.length, partitions)]!.push(record);
    }
    const answer = await this.#line.gateway.produce(request);
    expect(answer).toMatchObject({ accepted: accepted.length, duplicate: false, rejectedCount: rejected });
    this.#lastPositions.push(...answer.positions.map(parsePosition));
    // What was too early then may be in time when it is sent again.
    if (request.idempotencyKey !== undefined && rejected === 0) this.#sent.push({ request, answer });
  }

  /** A request whose answer got lost: the same answer, nothing stored. */
  async #sendAgain(): Promise<void> {
    const { request, answer } = this.#pick(this.#sent.slice(-3));
    if (this.#process.now() - this.#sentMs.get(request)! > 1_800_000) return;
    const { accepted, positions } = answer;
    expect(await this.#line.gateway.produce(request)).toMatchObject({ accepted, positions, duplicate: true });
  }

  async #sendRows(): Promise<void> {
    const { fields, key } = this.#model.sideInputs[0]!;
    const texts: string[] = [];
    for (let i = this.#random.below(4); i >= 0; i--) {
      const row = this.#job.row();
      const id = row[key] as string;
      if (id === "" || Buffer.byteLength(id) > 1024) continue;
      const removes = this.#random.below(5) === 0;
      texts.push(removes ? JSON.stringify({ $delete: id }) : jsonText(fields, row, this.#random));
      this.#rows.push([id, removes ? undefined : row]);
    }
    if (texts.length === 0) return;
    const request = this.#request("input", input, texts, false);
    const answer = await this.#line.gateway.produce(request);
    expect(answer).toMatchObject({ accepted: texts.length, duplicate: false });
  }

  readonly #sentMs = new Map<ProduceRequest, number>();
  #requests = 0;

  #request(kind: "event" | "input", name: string, texts: readonly string[], partial: boolean): ProduceRequest {
    const lines = this.#random.below(2) === 0;
    const text = lines ? texts.join(this.#pick(["\n", "\r\n", "\n\n"])) : `[${texts.join(" , ")}]`;
    const body = Buffer.from(text + (lines && this.#random.below(2) === 0 ? "\n" : ""));
    return this.#noted({ target: { kind, name }, format: lines ? "ndjson" : "json", body, partial });
  }

  #avroRequest(record: RecordValue): ProduceRequest {
    const own = encodeRecord(this.#model.events[0]!.fields, record, (left) => ({ count: left, sized: true }));
    const body = Buffer.alloc(5 + own.length);
    body.writeUInt32BE(this.#ids.get(`events.${event}`)!, 1);
    own.copy(body, 5);
    return this.#noted({ target: { kind: "event", name: event }, format: "avro", body, partial: false });
  }

  #noted(request: ProduceRequest): ProduceRequest {
    const keyed = this.#random.below(2) === 0 ? { idempotencyKey: `request ${this.#requests++}` } : {};
    const noted = { ...request, ...keyed };
    this.#sentMs.set(noted, this.#process.now());
    return noted;
  }

  #randomEvent(): RecordValue {
    const { time } = this.#model.events[0]!;
    const nowMs = this.#process.now();
    const late = [0, 1, 999, latenessMs / 2, latenessMs];
    const wide = [...late, dayMs, 3 * dayMs, 3 * dayMs + 1000, 400 * dayMs, nowMs, nowMs + 1, nowMs + 8.64e15];
    const atMs =
      this.#random.below(30) === 0 ? nowMs + 1001 : nowMs - this.#pick(this.#ttlMs === undefined ? wide : late);
    return Object.assign(this.#job.event(), { [time]: atMs });
  }

  #maybeDamaged(text: string): string {
    if (this.#random.below(25) > 0) return text;
    return this.#pick([
      `{}`,
      `[${text}]`,
      `null`,
      text.replace(/"key": ?"/, '"kez": "'),
      text.replace(/\}$/, ',"more":1}'),
    ]);
  }

  // --- what must be ------------------------------------------------------------------------------------------------

  async #check(): Promise<void> {
    const { feeder, log, store } = this.#line;
    await this.#time.until(feeder.waitFor(this.#lastPositions, 100_000), "the graph");
    const stored = await this.#time.until(storedIn(log, this.#model, this.#fieldsOf), "reading the log");
    this.#expectAccepted(stored);
    const { updates, counts } = expectedOf(this.#model, stored);
    const graph = plainGraphOf(this.#model, graphMeant(this.#model, updates), this.#process.now());
    const scanned = await this.#time.until(plainGraph(store), "the scan");
    expect(listingOf(this.#model, scanned)).toEqual(listingOf(this.#model, graph));
    await this.#expectCounts(counts.get(event)!);
    for await (const difference of store.verify()) expect(difference).toBeUndefined();
    const { queries } = this.#line;
    const world = { model: this.#model, graph, queries, time: this.#time, nowMs: this.#process.now() };
    await expectTraversals(world, this.#random);
  }

  /** The log has what was accepted, in order, and nothing else. */
  #expectAccepted({ events, rows }: Stored): void {
    deepStrictEqual(
      events.get(event)!.map((partition) => partition.map(({ value }) => value)),
      this.#events,
    );
    const stored = rows.get(input)!.map(({ key, value }) => [key, value] as const);
    const isUsed = this.#model.jobs[0]!.steps.some(({ kind }) => kind === "enrich");
    // Of rows that no job looks up the log need not keep what was replaced.
    if (isUsed) deepStrictEqual(stored, this.#rows);
    else deepStrictEqual(newestOf(stored), newestOf(this.#rows));
  }

  async #expectCounts(expected: readonly object[]): Promise<void> {
    let [job] = (await this.#line.control.status()).jobs;
    while (job!.state !== "running") {
      await this.#time.pass(1);
      [job] = (await this.#line.control.status()).jobs;
    }
    const { counters } = job!;
    const actual = expected.map((_, partition) =>
      Object.fromEntries(Object.entries(counters).map(([name, values]) => [name, values[partition]!])),
    );
    expect(actual).toMatchObject(expected);
    const total = (name: keyof typeof counters): number => counters[name].reduce((sum, count) => sum + count, 0);
    expect(total("received")).toBe(total("filtered") + total("deduplicated") + total("quarantined") + total("mapped"));
    expect(total("emitted")).toBe(total("published") + total("merged"));
    const { log } = this.#line;
    const next = async (topic: string): Promise<number> => (await log.bounds(topic))[0]!.next;
    expect(await next(`quarantine.jobs.${event}`)).toBe(total("quarantined"));
    expect(await next("quarantine.gateway")).toBe(this.#quarantinedByGateway);
  }

  readonly #ids = new Map<string, number>();
  readonly #fieldsOf = (topic: string): readonly FieldModel[] =>
    (topic.startsWith("events.") ? this.#model.events[0]! : this.#model.sideInputs[0]!).fields;

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)]!;
  }
}

function newestOf(rows: readonly (readonly [key: string, row: RecordValue | undefined])[]): Map<string, RecordValue> {
  const newest = new Map<string, RecordValue>();
  for (const [key, row] of rows) {
    if (row === undefined) newest.delete(key);
    else newest.set(key, row);
  }
  return newest;
}
