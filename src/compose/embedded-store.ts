// Opens embedded stores: the one of a data folder, and scratch ones to compare with.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock, Timers } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import { systemTurns } from "../core/turns.ts";
import type { GraphModel } from "../model/definition.ts";
import { openEmbeddedStore } from "../store/embedded/open.ts";
import type { EmbeddedStore } from "../store/embedded/store.ts";
import type { Logger } from "./logger.ts";
import type { PipelineParts } from "./pipeline.ts";
import type { EmbeddedSettings } from "./settings.ts";
import { typeTopicsOf } from "./topics.ts";

export interface StorePorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** The store of the data folder. Without an intact checkpoint it is rebuilt, if the log has everything for that. */
export async function openDataStore(
  { model, log }: Pick<PipelineParts, "model" | "log">,
  settings: EmbeddedSettings,
  ports: StorePorts,
): Promise<EmbeddedStore> {
  const [bounds] = await log.bounds(typeTopicsOf(model)[0]!);
  return openStore(model, settings, join(settings.data, "store"), ports, bounds!.first === 0);
}

/** @param rebuilds whether the log has everything that the store is built of */
export function openStore(
  model: GraphModel,
  settings: EmbeddedSettings,
  folder: string,
  ports: StorePorts,
  rebuilds: boolean,
): Promise<EmbeddedStore> {
  return openEmbeddedStore({
    folder,
    rebuilds,
    model,
    clock: ports.clock,
    timers: ports.timers,
    turns: systemTurns,
    notice: (error) => ports.logger.warn(describeError(error)),
    settings: { memoryMaxBytes: settings["store.memory"], checkpointDebtMaxBytes: settings["store.checkpoint"] },
  });
}

/** An empty store in a folder that goes when it is closed. */
export async function openScratch(
  model: GraphModel,
  settings: EmbeddedSettings,
  ports: StorePorts,
): Promise<EmbeddedStore> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-verify-"));
  const store = await openStore(
    model,
    { ...settings, "store.checkpoint": Number.MAX_SAFE_INTEGER },
    folder,
    ports,
    false,
  );
  const close = store.close.bind(store);
  store.close = async () => {
    await close();
    await rm(folder, { recursive: true, force: true });
  };
  return store;
}
