// Random appends, commits, retries, write failures, kills and power cuts on a simulated disk: whatever was acknowledged is there once, in order, at its position.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ManualTime } from "../../../test/log/manual-time.ts";
import { type Fault, type Operation, SimulatedDisk } from "../../../test/log/simulated-disk.ts";
import { RdgError } from "../../core/errors.ts";
import { seededRandom } from "../../core/random.ts";
import { encodeUpdateBatch } from "../../model/update/codec.ts";
import { batchOf, textsOf } from "../conformance-batches.ts";
import type { Appended, JobOutput, Producer, TopicSettings } from "../port.ts";
import { type EmbeddedLog, openEmbeddedLog } from "./log.ts";

const topic: TopicSettings = { name: "events.hit", form: "records", partitions: 2, retention: {} };
const quarantine: TopicSettings = { name: "quarantine.hit", form: "records", partitions: 1, retention: {} };

/** Batches of a producer that are surely answered with their own positions. */
const remembered = 60;

interface Batch {
  readonly sequence: number;
  readonly values: readonly string[];
  readonly keyed: boolean;
  stored: Appended | undefined;
}

/** What the clients know: batches sent per partition, in order, and transactions. */
class Clients {
  readonly sent: Batch[][] = [[], []];
  committed = 0;
  attempted = 0;
  quarantined: string[] = [];
}

interface Story {
  readonly seed: number;
  readonly ends: readonly { readonly calls: number; readonly power: boolean; readonly faults: boolean }[];
}

class Player {
  readonly random;
  readonly disk;
  readonly time = new ManualTime(1_000_000);
  readonly clients = new Clients();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.disk = new SimulatedDisk(seededRandom(seed + 1));
  }

  open(): Promise<EmbeddedLog> {
    return openEmbeddedLog({
      folder: "/log",
      clock: this.time,
      timers: this.time,
      random: seededRandom(this.random.below(1_000_000)),
      fileSystem: this.disk.process(),
      settings: {
        segmentBytes: 3000,
        retryAfterMs: 0,
        readChunkBytes: 256,
        tailBytesMax: 2000,
        journalTailBytesMax: 2000,
      },
    });
  }

  fault(operation: Operation): Fault | undefined {
    if (this.random.below(25) > 0) return undefined;
    if (operation.name === "sync") return { error: this.random.below(2) === 0 ? "EIO" : "ENOSPC" };
    if (operation.name !== "write") return undefined;
    const writtenBytes = this.random.below(400);
    return this.random.below(2) === 0 ? { error: "ENOSPC", writtenBytes } : { writtenBytes: writtenBytes + 1 };
  }

  /** One life of the process: until it is killed, or for a few rounds. */
  async live(calls: number): Promise<void> {
    const killed = this.disk.killed();
    this.disk.callsUntilKill = calls;
    await Promise.race([killed, this.#work()]);
  }

  async #work(): Promise<void> {
    const log = await this.open();
    await log.ensureTopics([topic, quarantine]);
    let producer = await log.producer("p");
    let output = await log.jobOutput("hit");
    for (let round = 0; round < 12; round++) {
      const pending = [this.#appends(producer, 0), this.#appends(producer, 1), this.#commits(log, output)];
      this.time.advance(this.random.below(50));
      await Promise.all(pending);
      if (this.random.below(4) === 0) producer = await log.producer("p");
      if (this.random.below(4) === 0) this.time.jumpTo(this.time.now() - this.random.below(1000));
      output = await log.jobOutput("hit");
    }
    if (this.random.below(2) === 0) await log.close();
  }

  /** Retries what is not acknowledged, in order, and sends something new. */
  async #appends(producer: Producer, partition: number): Promise<void> {
    const sent = this.clients.sent[partition]!;
    for (let i = this.random.below(4); i >= 0; i--) {
      const sequence = sent.length;
      const values = Array.from(
        { length: 1 + this.random.below(5) },
        (_, k) => `${partition}-${sequence}-${k}-${"x".repeat(this.random.below(80))}`,
      );
      sent.push({ sequence, values, keyed: this.random.below(2) === 0, stored: undefined });
    }
    const again = sent.filter((batch) => batch.stored === undefined || this.random.below(20) === 0);
    await Promise.all(again.map((batch) => this.#append(producer, partition, batch)));
  }

  async #append(producer: Producer, partition: number, batch: Batch): Promise<void> {
    const { sequence, values, keyed } = batch;
    const identity = { sequence, ...(keyed && { idempotencyKey: `${partition}-${sequence}` }) };
    try {
      const stored = await producer.append(topic.name, partition, batchOf(values, identity));
      const before = batch.stored;
      if (before === undefined) batch.stored = { ...stored, duplicate: false };
      else if (keyed || this.clients.sent[partition]!.length - sequence < remembered) {
        expect(stored).toEqual({ ...before, duplicate: true });
      } else {
        // Too old to be remembered by itself: recognised, and answered with later positions.
        expect(stored.duplicate).toBe(true);
        expect(stored.first.offset).toBeGreaterThanOrEqual(before.first.offset);
      }
    } catch (error) {
      if (!(error instanceof RdgError) || error.kind !== "unavailable") throw error;
    }
  }

  /** The job counts 1, 2, 3 ... in inputs and updates; it goes on from what is committed. */
  async #commits(log: EmbeddedLog, output: JobOutput): Promise<void> {
    expect(await log.topics()).toContainEqual(topic);
    let next = (output.committed[0]?.offset ?? 0) + 1;
    expect(next).toBeGreaterThan(this.clients.committed);
    const commits: Promise<void>[] = [];
    for (let i = this.random.below(4); i >= 0; i--) commits.push(this.#commit(output, next++));
    await Promise.all(commits);
  }

  async #commit(output: JobOutput, number: number): Promise<void> {
    this.clients.attempted = Math.max(this.clients.attempted, number);
    try {
      await output.commit({
        updates: encodeUpdateBatch({ eventCount: number, nodes: [], edges: [] }),
        quarantined: number % 3 === 0 ? { topic: quarantine.name, batch: batchOf([`q${number}`]) } : undefined,
        inputs: [{ topic: "events.elsewhere", partition: 0, offset: number }],
        counters: { received: [number] },
      });
      this.clients.committed = Math.max(this.clients.committed, number);
    } catch (error) {
      if (!(error instanceof RdgError) || error.kind !== "unavailable") throw error;
    }
  }

  /** Everything sent is there once and in order, and what was acknowledged is where it was. */
  async check(): Promise<void> {
    const log = await this.open();
    await log.ensureTopics([topic, quarantine]);
    const producer = await log.producer("p");
    for (const partition of [0, 1]) {
      for (const batch of this.clients.sent[partition]!) await this.#append(producer, partition, batch);
    }
    const found: string[][] = [[], []];
    const times = [0, 0];
    for await (const frame of log.read({ topics: [topic.name], until: [] })) {
      expect(frame.timestampMs).toBeGreaterThanOrEqual(times[frame.partition]!);
      times[frame.partition] = frame.timestampMs;
      expect(frame.firstOffset).toBe(found[frame.partition]!.length);
      found[frame.partition]!.push(...textsOf(frame));
    }
    for (const [partition, sent] of this.clients.sent.entries()) {
      expect(found[partition]).toEqual(sent.flatMap(({ values }) => values));
      for (const { values, stored } of sent) {
        expect(found[partition]!.slice(stored!.first.offset, stored!.last.offset + 1)).toEqual(values);
      }
    }
    await this.#checkJournal(log);
    await log.close();
  }

  async #checkJournal(log: EmbeddedLog): Promise<void> {
    const output = await log.jobOutput("hit");
    const last = output.committed[0]?.offset ?? 0;
    expect(last).toBeGreaterThanOrEqual(this.clients.committed);
    expect(last).toBeLessThanOrEqual(this.clients.attempted);
    expect(output.counters).toEqual(last === 0 ? {} : { received: [last] });
    if (last === 0) return;
    const numbers: number[] = [];
    for await (const frame of log.readUpdates({ until: last - 1 })) numbers.push(frame.updates()!.eventCount);
    expect(numbers).toEqual(Array.from({ length: last }, (_, i) => i + 1));
    const quarantined: string[] = [];
    for await (const frame of log.read({ topics: [quarantine.name], until: [] })) quarantined.push(...textsOf(frame));
    expect(quarantined).toEqual(numbers.filter((number) => number % 3 === 0).map((number) => `q${number}`));
  }
}

async function play({ seed, ends }: Story): Promise<void> {
  const player = new Player(seed);
  for (const { calls, power, faults } of ends) {
    player.disk.fault = faults ? (operation) => player.fault(operation) : undefined;
    try {
      await player.live(calls);
    } catch (error) {
      // Opening may meet the failing disk; the process gives up then, and the next one tries again.
      if (!faults || !(error instanceof RdgError) || error.kind !== "unavailable") throw error;
    }
    player.disk.fault = undefined;
    if (power) player.disk.powerLoss();
    else player.disk.kill();
  }
  await player.check();
}

const end = fc.record({ calls: fc.integer({ min: 0, max: 900 }), power: fc.boolean(), faults: fc.boolean() });
const story: fc.Arbitrary<Story> = fc.record({ seed: fc.nat(), ends: fc.array(end, { minLength: 1, maxLength: 6 }) });

test("what was acknowledged is there once, in order and at its position, whatever happened", async () => {
  await fc.assert(fc.asyncProperty(story, play), { numRuns: 40 });
});
