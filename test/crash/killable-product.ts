// The whole of RDG in one thread, as `startEmbedded` composes it, with a clock that a test sets, background work that comes when a test says so, and a kill
// switch around the steps that are no changes of files.
import { createLogger } from "../../src/compose/logger.ts";
import { openPipeline, type PipelineParts } from "../../src/compose/pipeline.ts";
import { openServing } from "../../src/compose/serving.ts";
import { embeddedSettings } from "../../src/compose/settings.ts";
import { type Clock, systemClock, systemTimers, type Timers } from "../../src/core/clock.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import type { UpdateFrame } from "../../src/log/port.ts";
import graph from "./graph.ts";
import type { KillSwitch } from "./kill-switch.ts";

export interface KillableProduct {
  readonly url: string;
  /** Resolves with the cause when it cannot go on. */
  readonly failed: Promise<unknown>;
  advance(ms: number): void;
  /** Retention and compaction, and the purge, which otherwise come once a minute. */
  maintain(): Promise<void>;
  purge(): Promise<void>;
  close(): Promise<void>;
}

export interface ProductOptions {
  readonly data: string;
  /** Of the wall clock against the system's. */
  readonly offsetMs: number;
}

const minuteMs = 60_000;

export async function startProduct(options: ProductOptions, killSwitch: KillSwitch): Promise<KillableProduct> {
  let { offsetMs } = options;
  const maintenance = new Background();
  const purge = new Background();
  const clock: Clock = {
    now: () => systemClock.now() + offsetMs,
    monotonicMs() {
      if (purge.isRunning) killSwitch.hit("purge", "middle");
      return systemClock.monotonicMs();
    },
  };
  const settings = {
    ...resolveSettings(embeddedSettings, {}).values,
    data: options.data,
    port: 0,
    "log.level": "warn",
    "log.segment": 6_000,
    "store.checkpoint": 3_000,
  };
  const logger = createLogger(settings["log.level"]);
  const windows = withWindowFlush(maintenance.timers, killSwitch);
  const pipeline = await openPipeline({ graph, settings, clock, timers: windows, logger });
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<unknown>((resolve) => (fail = resolve));
  const serving = await openServing({
    graph,
    settings,
    pipeline: withStoreApply(pipeline, killSwitch),
    clock,
    timers: purge.timers,
    logger,
    onFailure: fail,
  });
  const { url } = await serving.listen();
  await serving.start();
  return {
    url,
    failed,
    advance: (ms) => void (offsetMs += ms),
    maintain: () => maintenance.run(),
    async purge() {
      killSwitch.hit("purge", "before");
      await purge.run();
      killSwitch.hit("purge", "after");
    },
    async close() {
      await serving.closeServer();
      await pipeline.finish();
      try {
        await serving.closeStore();
      } finally {
        await pipeline.close();
      }
    },
  };
}

/** Work that asks to be done in a minute, again and again: done on demand instead. */
class Background {
  isRunning = false;
  #due: (() => void) | undefined;
  #scheduled: () => void = () => undefined;

  readonly timers: Timers = {
    after: (delayMs, run) => {
      if (delayMs !== minuteMs) return systemTimers.after(delayMs, run);
      this.#due = run;
      this.#scheduled();
      return () => (this.#due = undefined);
    },
    sleep: (delayMs, signal) => systemTimers.sleep(delayMs, signal),
  };

  /** Resolves when the work asks for its next time. */
  async run(): Promise<void> {
    const due = this.#due;
    if (due === undefined) return;
    this.isRunning = true;
    await new Promise<void>((resolve) => {
      this.#scheduled = resolve;
      due();
    });
    this.isRunning = false;
  }
}

const windowMs = graph.model.jobs[0]!.settings.windowMs;

function withWindowFlush(timers: Timers, killSwitch: KillSwitch): Timers {
  return {
    after(delayMs, run) {
      if (delayMs !== windowMs) return timers.after(delayMs, run);
      return timers.after(delayMs, () => {
        killSwitch.hit("window-flush", "before");
        run();
        queueMicrotask(() => killSwitch.hit("window-flush", "middle"));
        setImmediate(() => killSwitch.hit("window-flush", "after"));
      });
    },
    sleep: (delayMs, signal) => timers.sleep(delayMs, signal),
  };
}

function withStoreApply(pipeline: PipelineParts, killSwitch: KillSwitch): PipelineParts {
  const { log, control } = pipeline;
  return {
    ...pipeline,
    log: {
      topics: () => log.topics(),
      bounds: (topic) => log.bounds(topic),
      settled: (topic) => log.settled(topic),
      read: (readOptions) => log.read(readOptions),
      async *readUpdates(readOptions): AsyncGenerator<UpdateFrame> {
        for await (const frame of log.readUpdates(readOptions)) yield killing(frame, killSwitch);
      },
    },
    control: new Proxy(control, {
      get(target, name) {
        if (name === "applied") killSwitch.hit("store-apply", "after");
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    }),
  };
}

function killing(frame: UpdateFrame, killSwitch: KillSwitch): UpdateFrame {
  return {
    ...frame,
    updates() {
      killSwitch.hit("store-apply", "before");
      setImmediate(() => killSwitch.hit("store-apply", "middle"));
      return frame.updates();
    },
  };
}
