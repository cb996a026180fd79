// Opens the embedded store of a folder.
import { type Clock, type Timers } from "../../core/clock.ts";
import { systemTurns, type Turns } from "../../core/turns.ts";
import type { GraphModel } from "../../model/definition.ts";
import { Applied } from "./applied.ts";
import { Graph } from "./graph.ts";
import { EmbeddedStore } from "./store.ts";

export interface EmbeddedStoreSettings {
  /** At so many bytes in use `apply` rejects with `memory_budget`. */
  readonly memoryMaxBytes: number;
  /** A checkpoint is written when so many bytes of frames were applied since the last one: bounds the replay of a restart. */
  readonly checkpointDebtMaxBytes: number;
}

export interface EmbeddedStoreOptions {
  readonly folder: string;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turns?: Turns;
  readonly settings: EmbeddedStoreSettings;
}

export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const { model, clock, turns = systemTurns, settings } = options;
  const graph = new Graph(model);
  graph.create();
  return new EmbeddedStore({ graph, applied: new Applied(), clock, turns, memoryMaxBytes: settings.memoryMaxBytes });
}
