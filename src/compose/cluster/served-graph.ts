// The graph as a serving process has it: a replica of its own, or a store that processes share.
import type { RdgError } from "../../core/errors.ts";
import type { WaitFor } from "../../query/positions.ts";
import type { Store, StoreStatistics } from "../../store/port.ts";

export interface ServedGraph {
  readonly store: Store;
  /** Name of any type topic. */
  readonly typeTopic: string;
  /** The same in all serving processes. */
  readonly continuationKey: Uint8Array;
  readonly waitFor: WaitFor;
  /** Requests that wait for positions. */
  waiters(): number;
  /** Offset of the last transaction that is applied; -1 before the first. */
  appliedOffset(): Promise<number>;
  /** Runs `work` while nothing is applied; missing where others apply. */
  readonly still?: <T>(work: () => Promise<T>) => Promise<T>;
  /** Of what lies in this process's memory, where not all of it does. */
  readonly statistics?: () => Promise<StoreStatistics>;
  /** Why it takes no more, while it does not. */
  blocked(): RdgError | undefined;
  /** Resolves when it may be asked. @throws RdgError corrupt */
  start(): Promise<void>;
  close(): Promise<void>;
}
