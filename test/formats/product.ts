// The product on a folder of its own at a time of its own, asked over HTTP: what golden folders are written with, and what opens them again.
import { createLogger } from "../../src/compose/logger.ts";
import { openPipeline, type Pipeline } from "../../src/compose/pipeline.ts";
import { openServing } from "../../src/compose/serving.ts";
import { embeddedSettings } from "../../src/compose/settings.ts";
import { type Clock, systemClock, systemTimers } from "../../src/core/clock.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import graph from "./graph.ts";

export interface Product {
  /** POSTs what is not undefined, GETs otherwise; the answer's text. @throws Error for any other status */
  ask(path: string, body?: unknown, expected?: number): Promise<string>;
  /** Lines of JSON; what was answered. */
  send(path: string, lines: readonly unknown[], idempotencyKey?: string): Promise<Sent>;
  /** Resolves when everything that was sent is in the graph. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface Sent {
  readonly accepted?: number;
  readonly positions?: readonly string[];
  readonly [name: string]: unknown;
}

export interface ProductOptions {
  readonly data: string;
  /** What time it is there when it starts. */
  readonly nowMs: number;
  /** Secret of an API key: a folder with keys answers nobody else. */
  readonly secret?: string;
}

export async function openProduct({ data, nowMs, secret }: ProductOptions): Promise<Product> {
  const startedMs = systemClock.monotonicMs();
  const clock: Clock = {
    now: () => Math.floor(nowMs + systemClock.monotonicMs() - startedMs),
    monotonicMs: () => systemClock.monotonicMs(),
  };
  // Small, so that a few records make several files.
  const small = { "log.segment": 4_000, "store.checkpoint": 6_000 };
  const settings = {
    ...resolveSettings(embeddedSettings, {}).values,
    ...small,
    data,
    port: 0,
    "grpc.port": "off",
    "log.level": "silent",
  };
  const logger = createLogger(settings["log.level"]);
  const ports = { clock, timers: systemTimers, logger };
  const pipeline = await openPipeline({ graph, settings, ...ports });
  try {
    const failures: unknown[] = [];
    const serving = await openServing({
      graph,
      settings,
      pipeline,
      ...ports,
      onFailure: (error) => void failures.push(error),
    });
    try {
      const { url } = await serving.listen();
      await serving.start();
      return productAt(url, secret, failures, async () => {
        await serving.closeServer();
        await pipeline.finish();
        await serving.closeStore();
        await pipeline.close();
      });
    } catch (error) {
      await serving.closeServer();
      await serving.closeStore();
      throw error;
    }
  } catch (error) {
    await closeAfter(pipeline);
    throw error;
  }
}

/** Locks end whatever happened before. */
async function closeAfter(pipeline: Pipeline): Promise<void> {
  await pipeline.close().catch(() => undefined);
}

function productAt(url: string, secret: string | undefined, failures: unknown[], close: () => Promise<void>): Product {
  const authorization = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const ask = async (
    path: string,
    { headers, ...init }: Omit<RequestInit, "headers"> & { readonly headers?: Readonly<Record<string, string>> },
    expected: number,
  ): Promise<string> => {
    if (failures.length > 0) throw failures[0];
    const response = await fetch(url + path, { ...init, headers: { ...authorization, ...headers } });
    const text = await response.text();
    if (response.status !== expected) throw new Error(`${path} was answered ${response.status}: ${text}`);
    return text;
  };
  return {
    close,
    ask(path, body, expected = 200) {
      const json = { "content-type": "application/json" };
      return ask(
        path,
        body === undefined ? {} : { method: "POST", headers: json, body: JSON.stringify(body) },
        expected,
      );
    },
    async send(path, lines, idempotencyKey) {
      const headers = {
        "content-type": "application/x-ndjson",
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
      };
      const body = lines.map((line) => JSON.stringify(line)).join("\n");
      return JSON.parse(await ask(path, { method: "POST", headers, body }, 202)) as Sent;
    },
    async settled() {
      for (;;) {
        const status = JSON.parse(await ask("/v1/status", {}, 200)) as {
          readonly topics: readonly { name: string; partitions: readonly { next: number }[] }[];
          readonly store: { readonly inputs: readonly string[] };
        };
        const applied = new Set(status.store.inputs);
        const waiting = status.topics
          .filter(({ name }) => name.startsWith("events."))
          .flatMap(({ name, partitions }) =>
            partitions.map(({ next }, i) => (next === 0 ? "" : `${name}/${i}@${next - 1}`)),
          )
          .filter((position) => position !== "" && !applied.has(position));
        if (waiting.length === 0) return;
        await systemTimers.sleep(10);
      }
    },
  };
}
