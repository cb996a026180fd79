// Stores that can do less than they could, and say so.
import { expect } from "vitest";
import type {
  AdjacencyRequest,
  Degree,
  DegreesRequest,
  Store,
  StoreCapabilities,
  StoreReader,
} from "../../src/store/port.ts";

/** Wraps every reader of a store. */
export function withReaders(
  store: Store,
  capabilities: Partial<StoreCapabilities>,
  wrap: (reader: StoreReader) => Partial<StoreReader>,
): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "capabilities") return { ...store.capabilities, ...capabilities };
      if (name !== "reader") return bound(target, name);
      return () => {
        const reader = target.reader();
        const wrapped = wrap(reader);
        return new Proxy(reader, {
          get: (inner, method) => (method in wrapped ? bound(wrapped, method) : bound(inner, method)),
        });
      };
    },
  });
}

function bound(object: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(object, name);
  return typeof value === "function" ? (value.bind(object) as unknown) : value;
}

/** Declares that it filters less and counts no degrees, and refuses to be asked for what it did not declare. */
export function lesserStore(store: Store, filters: StoreCapabilities["filters"], exactDegrees: boolean): Store {
  return withReaders(store, { filters, exactDegrees, timedDegrees: exactDegrees }, (reader) => ({
    adjacency(request: AdjacencyRequest, signal: AbortSignal) {
      const where = JSON.stringify(request.where ?? null, (_, value: unknown) =>
        typeof value === "bigint" ? "" : value,
      );
      if (!filters.edge) expect(where).not.toContain('"of":"edge"');
      if (!filters.node) expect(where).not.toContain('"of":"node"');
      return reader.adjacency(request, signal);
    },
    async degrees(request: DegreesRequest, signal: AbortSignal): Promise<readonly Degree[]> {
      if (!exactDegrees) expect([request.sinceMs, request.untilMs]).toEqual([undefined, undefined]);
      const degrees = await reader.degrees(request, signal);
      if (exactDegrees) return degrees;
      return degrees.map(({ count }) => ({ count: Math.min(count, request.scanMax), exact: count < 3 }));
    },
  }));
}
