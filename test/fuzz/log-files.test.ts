// Damaged files of the log: it refuses to open, or refuses to read, or serves exactly what was written; never anything else, and it always comes to an end.
import * as fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { RdgError } from "../../src/core/errors.ts";
import { seededRandom } from "../../src/core/random.ts";
import { batchOf, columnOf, textsOf } from "../../src/log/conformance-batches.ts";
import type { EmbeddedLog } from "../../src/log/embedded/log.ts";
import type { EmbeddedLogSettings } from "../../src/log/embedded/settings.ts";
import type { TopicSettings } from "../../src/log/port.ts";
import { freshDisk, hits, openOn, type OpenedOn } from "../log/opened.ts";
import { SimulatedDisk } from "../log/simulated-disk.ts";
import { type Damage, damage, damaged } from "./damage.ts";
import { rounds } from "./rounds.ts";

const rows: TopicSettings = { name: "inputs.row", form: "compacted", partitions: 1, retention: {} };
const nodes: TopicSettings = { name: "nodes.page", form: "updates", partitions: 1, retention: {} };
const quarantine: TopicSettings = { name: "quarantine.jobs.hit", form: "records", partitions: 1, retention: {} };
const settings = { segmentBytes: 700, maintainEveryMs: 0 } satisfies Partial<EmbeddedLogSettings>;
const recordTopics = [hits.name, rows.name, quarantine.name];
const writes = 12;

/** By topic and offset what was written; of transactions by their offset the counter that each carries. */
interface Truth {
  readonly records: ReadonlyMap<string, readonly string[]>;
  readonly transactions: readonly string[];
}

interface Written {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly truth: Truth;
}

async function write(end: "killed" | "closed"): Promise<Written> {
  const on: OpenedOn = { ...freshDisk(), settings };
  const log = await openOn(on);
  await log.ensureTopics([hits, rows, nodes, quarantine]);
  const [producer, output] = [await log.producer("p"), await log.jobOutput("hit")];
  const records = new Map(recordTopics.map((topic) => [topic, [] as string[]]));
  const transactions: string[] = [];
  for (let i = 0; i < writes; i++) {
    const values = [`hit ${i}`, `${"x".repeat(i * 7)} of ${i}`];
    await producer.append(
      hits.name,
      0,
      batchOf(values, i % 3 === 0 ? { idempotencyKey: `key ${i}` } : { sequence: i }),
    );
    records.get(hits.name)!.push(...values);
    on.time.advance(5);
    const row = producer.append(rows.name, 0, batchOf([`row ${i}`], { keys: columnOf([`k${i % 4}`]) }));
    on.time.advance(5);
    await row;
    records.get(rows.name)!.push(`row ${i}`);
    const bad = { topic: quarantine.name, batch: batchOf([`bad ${i}`]) };
    const updates = Buffer.from(`updates ${i}`.repeat(9));
    const inputs = [{ topic: hits.name, partition: 0, offset: 2 * i + 1 }];
    await output.commit({ updates, quarantined: i % 2 === 0 ? bad : undefined, inputs, counters: { n: [i] } });
    if (i % 2 === 0) records.get(quarantine.name)!.push(`bad ${i}`);
    transactions.push(updates.toString());
  }
  if (end === "closed") await log.close();
  on.disk.kill();
  const paths = on.disk.paths().filter((path) => !path.includes("/lock"));
  return {
    files: new Map(paths.map((path) => [path, Buffer.from(on.disk.contentOf(path))])),
    truth: { records, transactions },
  };
}

let images: readonly Written[];
beforeAll(async () => {
  images = [await write("killed"), await write("closed")];
});

/** A disk with these files, some of them damaged or gone. */
function diskWith(
  files: ReadonlyMap<string, Buffer>,
  damages: readonly (readonly [file: number, Damage | undefined])[],
): SimulatedDisk {
  const disk = new SimulatedDisk(seededRandom(1));
  const paths = [...files.keys()];
  const now = new Map(files);
  for (const [file, change] of damages) {
    const path = paths[file % paths.length]!;
    if (change === undefined) now.delete(path);
    else now.set(path, damaged(now.get(path) ?? Buffer.alloc(0), change));
  }
  for (const [path, bytes] of now) disk.place(path, bytes);
  return disk;
}

/** Only damage may be told, and of a format that another version might write. */
function expectRefusal(error: unknown): void {
  expect(error).toBeInstanceOf(RdgError);
  expect(["corrupt", "invalid"]).toContain((error as RdgError).kind);
  if ((error as RdgError).kind === "invalid") expect((error as RdgError).code).toBe("unknown_format");
}

async function expectTruth(log: EmbeddedLog, { records, transactions }: Truth): Promise<void> {
  const known = new Set((await log.topics()).map(({ name }) => name));
  for (const topic of recordTopics.filter((name) => known.has(name))) {
    const written = records.get(topic)!;
    // Retention, too, takes away the first files.
    let next = (await log.bounds(topic))[0]!.first;
    for await (const frame of log.read({ topics: [topic], until: [] })) {
      textsOf(frame).forEach((text, i) => {
        const offset = frame.firstOffset + (frame.offsets?.[i] ?? i);
        expect([topic, offset, text]).toEqual([topic, next, written[offset]]);
        next++;
      });
    }
  }
  const [bounds] = await log.bounds(nodes.name);
  const last = bounds!.next - 1;
  let next = bounds!.first;
  if (last >= next) {
    for await (const { offset, packed } of log.readUpdates({ from: 0, until: last })) {
      expect([offset, Buffer.from(packed!).toString()]).toEqual([next, transactions[next]]);
      next++;
    }
  }
  const { counters, committed } = await log.jobOutput("hit");
  expect(counters).toEqual(next === 0 ? {} : { n: [next - 1] });
  expect(committed).toEqual(next === 0 ? [] : [{ topic: hits.name, partition: 0, offset: 2 * next - 1 }]);
}

async function goOn(log: EmbeddedLog): Promise<void> {
  await log.ensureTopics([hits, rows, nodes, quarantine]);
  const producer = await log.producer("p");
  const { last } = await producer.append(hits.name, 0, batchOf(["next"]));
  const found: string[] = [];
  for await (const frame of log.read({ topics: [hits.name], from: [last], until: [last] }))
    found.push(...textsOf(frame));
  expect(found).toEqual(["next"]);
  await log.close();
}

const filesDamaged = fc.array(fc.tuple(fc.nat(), fc.option(damage, { nil: undefined, freq: 12 })), {
  minLength: 1,
  maxLength: 3,
});

test.each([
  ["checked when opened", {}],
  ["checked when read", { verifyOnOpenBytesMax: 0 }],
])("files %s", async (_, more) => {
  const property = fc.asyncProperty(fc.nat(1), filesDamaged, async (image, damages) => {
    const { files, truth } = images[image]!;
    const on: OpenedOn = { ...freshDisk(), disk: diskWith(files, damages), settings: { ...settings, ...more } };
    on.time.advance(writes * 10);
    let log: EmbeddedLog;
    try {
      log = await openOn(on);
    } catch (error) {
      return expectRefusal(error);
    }
    try {
      await expectTruth(log, truth);
    } catch (error) {
      return expectRefusal(error);
    }
    await goOn(log);
  });
  await fc.assert(property, { numRuns: rounds(150) });
});
