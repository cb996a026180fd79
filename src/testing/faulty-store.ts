// A store that misbehaves as it is told: slow, failing, failing in the middle of a stream, hanging. Wraps a real one, and counts what is asked of it, what is
// under way and what is still open, so that a test can see that nothing is left.
import type { Timers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { AdjacencyBatch, ReaderOptions, Store, StoreCapabilities, StoreReader } from "../store/port.ts";

/** What happens to one call; for adjacency, to each batch, the end included. */
export type Fault =
  | { readonly kind: "none" }
  | { readonly kind: "slow"; readonly ms: number; readonly thenFails?: boolean }
  | { readonly kind: "fail" }
  /** Never answers; ends when it is given up, unless it is deaf to that, too. */
  | { readonly kind: "hang"; readonly deaf?: boolean };

export type StoreCall = "find" | "nodes" | "adjacency" | "edge" | "degrees";

export interface FaultyStore extends Store {
  readonly counts: {
    readonly calls: Record<StoreCall, number>;
    /** Batches of adjacency that were given. */
    readonly batches: number;
    readonly running: number;
    readonly runningMost: number;
    readonly openReaders: number;
    /** Calls that ended because they were given up. */
    readonly cancelled: number;
  };
  /** Asked before every call and every batch: `batch` counts from 0. */
  fault: (call: StoreCall, batch: number) => Fault;
}

export interface FaultyStoreOptions {
  readonly store: Store;
  readonly timers: Timers;
  /** Whether it says that it is local; false unless said: faults are of stores that are elsewhere. */
  readonly local?: boolean;
}

export function faultyStore({ store, timers, local = false }: FaultyStoreOptions): FaultyStore {
  const counts = {
    calls: { find: 0, nodes: 0, adjacency: 0, edge: 0, degrees: 0 },
    batches: 0,
    running: 0,
    runningMost: 0,
    openReaders: 0,
    cancelled: 0,
  };
  const { local: _, ...others } = store.capabilities;
  const capabilities: StoreCapabilities = local ? { ...others, local } : others;

  const suffer = async (call: StoreCall, batch: number, signal: AbortSignal): Promise<void> => {
    const fault = faulty.fault(call, batch);
    if (fault.kind === "none") return;
    if (fault.kind === "slow") await timers.sleep(fault.ms, signal);
    if (fault.kind === "fail" || (fault.kind === "slow" && fault.thenFails === true)) {
      throw new RdgError("unavailable", "store_down", "The store does not answer.", { hint: "Try again later." });
    }
    if (fault.kind === "slow") return;
    await new Promise((_resolve, reject) => {
      if (fault.deaf === true) return;
      if (signal.aborted) reject(signal.reason as Error);
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  };

  const begin = (call: StoreCall): void => {
    counts.calls[call]++;
    counts.runningMost = Math.max(++counts.running, counts.runningMost);
  };

  async function counted<T>(call: StoreCall, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    begin(call);
    try {
      await suffer(call, 0, signal);
      return await run();
    } catch (error) {
      if (signal.aborted) counts.cancelled++;
      throw error;
    } finally {
      counts.running--;
    }
  }

  async function* streamed(
    signal: AbortSignal,
    run: () => AsyncIterable<AdjacencyBatch>,
  ): AsyncGenerator<AdjacencyBatch> {
    begin("adjacency");
    let batches = 0;
    try {
      await suffer("adjacency", batches, signal);
      for await (const batch of run()) {
        yield batch;
        counts.batches++;
        await suffer("adjacency", ++batches, signal);
      }
    } catch (error) {
      if (signal.aborted) counts.cancelled++;
      throw error;
    } finally {
      counts.running--;
    }
  }

  const readerOf = (options?: ReaderOptions): StoreReader => {
    const reader = store.reader(options);
    counts.openReaders++;
    let isOpen = true;
    return {
      find: (type, ids, signal) => counted("find", signal, () => reader.find(type, ids, signal)),
      id: (type, reference) => reader.id(type, reference),
      nodes: (request, signal) => counted("nodes", signal, () => reader.nodes(request, signal)),
      adjacency: (request, signal) => streamed(signal, () => reader.adjacency(request, signal)),
      edge: (request, signal) => counted("edge", signal, () => reader.edge(request, signal)),
      degrees: (request, signal) => counted("degrees", signal, () => reader.degrees(request, signal)),
      close() {
        if (isOpen) counts.openReaders--;
        isOpen = false;
        reader.close();
      },
    };
  };

  const faulty: FaultyStore = {
    capabilities,
    counts,
    fault: () => ({ kind: "none" }),
    apply: (frame) => store.apply(frame),
    applied: () => store.applied(),
    reader: readerOf,
    verify: (signal) => store.verify(signal),
    scan: (signal) => store.scan(signal),
    statistics: () => store.statistics(),
    close: () => store.close(),
  };
  return faulty;
}
