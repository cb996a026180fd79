// Opens the embedded store of a folder: from its newest intact checkpoint, or empty. The caller then replays what the log has behind `applied()`.
import type { Clock, Timers } from "../../core/clock.ts";
import type { RdgError } from "../../core/errors.ts";
import { systemTurns, type Turns } from "../../core/turns.ts";
import type { GraphModel } from "../../model/definition.ts";
import { restore } from "./checkpoint-read.ts";
import { EmbeddedStore, type EmbeddedStoreSettings } from "./store.ts";

export interface EmbeddedStoreOptions {
  /** Made when it is not there. One process at a time: the data folder's lock is the log's. */
  readonly folder: string;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turns?: Turns;
  readonly settings: EmbeddedStoreSettings;
  /** Told of what the store got over by itself: a damaged checkpoint passed over, one of another definition, one that could not be written. */
  readonly notice?: (error: RdgError) => void;
  /** Whether the log reaches back to the first transaction: then the store begins empty when no checkpoint is intact. */
  readonly rebuilds?: boolean;
}

/** @throws RdgError corrupt: `checkpoint_damaged` when there are checkpoints, none is intact and the log cannot replace them, `checkpoint_format_unknown` */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const { folder, model, clock, timers, turns = systemTurns, settings, notice = () => undefined } = options;
  const restored = await restore(folder, model, notice, options.rebuilds ?? false);
  return new EmbeddedStore({ folder, restored, clock, timers, turns, settings, notice });
}
