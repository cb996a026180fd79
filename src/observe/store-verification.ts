// Proves a store: against itself (both directions, order, degrees), and against a second store that is built afresh from the type topics.
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Clock } from "../core/clock.ts";
import type { LogReader } from "../log/port.ts";
import type { GraphModel } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { Difference, ScannedElement, Store } from "../store/port.ts";
import type { Verification } from "./port.ts";

export interface VerificationParts {
  readonly model: GraphModel;
  readonly log: LogReader;
  readonly clock: Clock;
  /** Must not change meanwhile. */
  readonly store: Store;
  /** Name of any type topic. */
  readonly typeTopic: string;
  /** An empty store of the same definition; it is closed afterwards. */
  readonly openScratch: () => Promise<Store>;
}

const differencesMax = 1000;

export async function verifyAgainstLog(parts: VerificationParts): Promise<Verification> {
  const differences: Difference[] = [];
  const note = (difference: Difference): void => {
    if (differences.length < differencesMax) differences.push(difference);
  };
  for await (const difference of parts.store.verify()) note(difference);
  const [bounds] = await parts.log.bounds(parts.typeTopic);
  const applied = Math.max(-1, ...(await parts.store.applied()).sources.values());
  if (bounds!.first > 0) return { elements: await countOf(parts.store), transactions: 0, differences, rebuilt: false };
  const scratch = await parts.openScratch();
  try {
    let transactions = 0;
    let publishedMs = -Infinity;
    if (applied >= 0) {
      for await (const frame of parts.log.readUpdates({ from: 0, until: applied })) {
        await scratch.apply(frame);
        publishedMs = frame.timestampMs;
        transactions++;
      }
    }
    const elements = await compare(parts, scratch, publishedMs, note);
    return { elements, transactions, differences, rebuilt: true };
  } finally {
    await scratch.close();
  }
}

async function countOf(store: Store): Promise<number> {
  let count = 0;
  for await (const _ of store.scan()) count++;
  return count;
}

/**
 * Both stores are read once to sums per bucket of keys, which are the same where the elements are; then only buckets that differ are read again, a bounded
 * number of elements at a time: a graph is larger than what may be held of it beside the two stores.
 */
async function compare(
  { model, store, clock }: VerificationParts,
  scratch: Store,
  publishedMs: number,
  note: (difference: Difference) => void,
): Promise<number> {
  // Elements expire while they are compared; and when the clock was set back, what a store has forgotten as expired is not expired any more elsewhere.
  const isOver = (overAtMs: number): boolean => overAtMs <= Math.max(clock.now(), publishedMs);
  const rebuilt = await sumsOf(model, scratch);
  const own = await sumsOf(model, store);
  for (const buckets of groupsOf(own, rebuilt)) {
    const expected = new Map<string, { readonly content: string; readonly overAtMs: number }>();
    for await (const [key, element] of elementsIn(model, scratch, buckets)) {
      expected.set(key, { content: contentOf(element), overAtMs: overAt(model, element) });
    }
    for await (const [key, element] of elementsIn(model, store, buckets)) {
      const wanted = expected.get(key);
      expected.delete(key);
      if (wanted === undefined) {
        if (!isOver(overAt(model, element))) note(differenceOf(key, "is in the store and not in the rebuild"));
      } else if (wanted.content !== contentOf(element)) {
        note(differenceOf(key, `is ${contentOf(element)}, rebuilt ${wanted.content}`));
      }
    }
    for (const [key, { overAtMs }] of expected) {
      if (!isOver(overAtMs)) note(differenceOf(key, "is in the rebuild and not in the store"));
    }
  }
  return own.counts.reduce((sum, count) => sum + count, 0);
}

const bucketCount = 4096;
/** Elements whose keys and contents are held at once. */
const groupElementsMax = 200_000;

/** Per bucket: how many elements it has, and the sums of two numbers that depend on all of an element. */
interface Sums {
  readonly counts: Uint32Array;
  readonly firsts: Uint32Array;
  readonly seconds: Uint32Array;
}

async function sumsOf(model: GraphModel, store: Store): Promise<Sums> {
  const column = (): Uint32Array => new Uint32Array(bucketCount);
  const [counts, firsts, seconds] = [column(), column(), column()];
  for await (const element of store.scan()) {
    const key = keyOf(model, element);
    const bucket = bucketOf(key);
    const digest = hash("sha256", `${key}\n${contentOf(element)}`, "buffer");
    counts[bucket]!++;
    // Sums wrap: elements come in any order.
    firsts[bucket]! += digest.readUInt32LE(0);
    seconds[bucket]! += digest.readUInt32LE(4);
  }
  return { counts, firsts, seconds };
}

/** Buckets that differ, in groups that are small enough to be held. */
function groupsOf(own: Sums, rebuilt: Sums): ReadonlySet<number>[] {
  const groups: Set<number>[] = [];
  let room = 0;
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const same = (["counts", "firsts", "seconds"] as const).every((of) => own[of][bucket] === rebuilt[of][bucket]);
    if (same) continue;
    const size = Math.max(own.counts[bucket]!, rebuilt.counts[bucket]!);
    if (groups.length === 0 || size > room) {
      groups.push(new Set());
      room = groupElementsMax;
    }
    groups.at(-1)!.add(bucket);
    room -= size;
  }
  return groups;
}

async function* elementsIn(
  model: GraphModel,
  store: Store,
  buckets: ReadonlySet<number>,
): AsyncGenerator<readonly [key: string, element: ScannedElement]> {
  for await (const element of store.scan()) {
    const key = keyOf(model, element);
    if (buckets.has(bucketOf(key))) yield [key, element];
  }
}

function bucketOf(key: string): number {
  return crc32(key) % bucketCount;
}

function overAt(model: GraphModel, { kind, type, lastSeenMs }: ScannedElement): number {
  const { ttlMs = Infinity } = (kind === "node" ? model.nodes : model.edges)[type]!;
  return lastSeenMs + ttlMs;
}

function keyOf(model: GraphModel, element: ScannedElement): string {
  if (element.kind === "node") return JSON.stringify([model.nodes[element.type]!.name, element.id]);
  return JSON.stringify([model.edges[element.type]!.name, element.from, element.to]);
}

function differenceOf(key: string, what: string): Difference {
  const [type, ...ids] = JSON.parse(key) as string[];
  return { type: type!, element: ids.join(" -> "), what };
}

function contentOf({ firstSeenMs, lastSeenMs, properties }: ScannedElement): string {
  return JSON.stringify([firstSeenMs, lastSeenMs, properties], (_, value: PropertyValue) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
    return value === undefined ? "absent" : value;
  });
}
