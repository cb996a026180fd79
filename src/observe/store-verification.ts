// Proves a store: against itself (both directions, order, degrees), and against a second store that is built afresh from the type topics.
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

async function compare(
  { model, store, clock }: VerificationParts,
  scratch: Store,
  publishedMs: number,
  note: (difference: Difference) => void,
): Promise<number> {
  // Elements expire while they are compared; and when the clock was set back, what a store has forgotten as expired is not expired any more elsewhere.
  const isOver = (overAtMs: number): boolean => overAtMs <= Math.max(clock.now(), publishedMs);
  const expected = new Map<string, { readonly content: string; readonly overAtMs: number }>();
  for await (const element of scratch.scan()) {
    expected.set(keyOf(model, element), { content: contentOf(element), overAtMs: overAt(model, element) });
  }
  let elements = 0;
  for await (const element of store.scan()) {
    elements++;
    const key = keyOf(model, element);
    const rebuilt = expected.get(key);
    expected.delete(key);
    if (rebuilt === undefined) {
      if (!isOver(overAt(model, element))) note(differenceOf(key, "is in the store and not in the rebuild"));
    } else if (rebuilt.content !== contentOf(element)) {
      note(differenceOf(key, `is ${contentOf(element)}, rebuilt ${rebuilt.content}`));
    }
  }
  for (const [key, { overAtMs }] of expected) {
    if (!isOver(overAtMs)) note(differenceOf(key, "is in the rebuild and not in the store"));
  }
  return elements;
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
