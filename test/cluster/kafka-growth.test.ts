// A topic gets more partitions while events flow through two gateways and two workers: requests that are sent again and ids that come again are known
// across it, nothing is lost and nothing is there twice.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { count, defineGraph, event, job, node, t } from "rdg";
import { afterAll, expect, test } from "vitest";
import { openJobRunners } from "../../src/compose/job-runners.ts";
import { createLogger } from "../../src/compose/logger.ts";
import { embeddedSettings } from "../../src/compose/settings.ts";
import { topicsOf } from "../../src/compose/topics.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { seededRandom } from "../../src/core/random.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import type { JobRunner } from "../../src/jobs/runner/job-runner.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { Log } from "../../src/log/port.ts";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

const time = { clock: systemClock, timers: systemTimers };
const opened = new AsyncDisposableStack();
afterAll(() => opened.disposeAsync());

const topic = "events.sale";
const keys = 40;

function graphWith(partitions: number) {
  const sale = event("sale", {
    key: "item",
    time: "at",
    id: "id",
    partitions,
    fields: { item: t.string(), id: t.string(), at: t.timestamp() },
  });
  const item = node("item", { sales: t.counter() });
  return defineGraph("shop", {
    jobs: [job(sale, { window: "50ms" }).emit((e) => [item.upsert(e.item, { sales: count(1) })])],
  });
}

interface Sale {
  readonly item: string;
  readonly id: string;
  readonly at: number;
}

test("requests and ids that come again are known across a growth from 2 partitions to 6", async () => {
  const { bootstrap } = await sharedKafka();
  const kafka = { connection: { bootstrap: [bootstrap] }, ...time, settings: { prefix: `${uniqueName("log")}.` } };
  const folder = await mkdtemp(join(tmpdir(), "rdg-growth-"));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const registry = await openEmbeddedRegistry({ folder });
  opened.defer(() => registry.close());
  const open = async (): Promise<Log> => {
    const log = await openKafkaLog(kafka);
    opened.defer(() => log.close());
    return log;
  };
  const log = await open();
  const before = graphWith(2);
  await log.ensureTopics(topicsOf(before.model));
  const gateways = await Promise.all(
    ["a", "b"].map(async (name) => {
      const { model } = before;
      const gateway = await createGateway({
        model,
        log: await open(),
        registry,
        clock: systemClock,
        producerName: name,
      });
      opened.defer(() => gateway.close());
      return gateway;
    }),
  );
  const { values: settings } = resolveSettings(embeddedSettings, {});
  const startWorker = async (): Promise<JobRunner> => {
    const parts = { ...time, graph: before, settings, logger: createLogger("error"), log: await open(), registry };
    const downstream = { published: () => undefined, throttle: () => undefined };
    const { runners, sideInputs } = await openJobRunners({ ...parts, downstream });
    const [runner] = runners as [JobRunner];
    opened.defer(async () => {
      await runner.stop("now");
      await sideInputs.close();
    });
    runner.start();
    return runner;
  };
  const workers = [await startWorker(), await startWorker()];

  const seed = Math.floor(Math.random() * 1e9);
  const random = seededRandom(seed);
  const sent: { readonly key: string; readonly sales: readonly Sale[] }[] = [];
  const sales: Sale[] = [];
  const produce = async (idempotencyKey: string, batch: readonly Sale[]): Promise<boolean> => {
    const body = Buffer.from(batch.map((sale) => JSON.stringify(sale)).join("\n"));
    const target = { kind: "event", name: "sale" } as const;
    const gateway = gateways[random.below(2)]!;
    const answer = await gateway.produce({ target, format: "ndjson", body, partial: false, idempotencyKey });
    expect(answer.accepted, `seed ${seed}`).toBe(batch.length);
    return answer.duplicate;
  };
  let stored = 0;
  const step = async (): Promise<void> => {
    const again = sent.length > 0 && random.below(3) === 0 ? sent[random.below(sent.length)] : undefined;
    if (again !== undefined) {
      expect(await produce(again.key, again.sales), `seed ${seed}`).toBe(true);
      return;
    }
    const batch = Array.from({ length: 1 + random.below(8) }, (): Sale => {
      if (sales.length > 0 && random.below(4) === 0) return sales[random.below(sales.length)]!;
      const sale = { item: `item ${random.below(keys)}`, id: `id ${sales.length}`, at: Date.now() };
      sales.push(sale);
      return sale;
    });
    const key = `request ${sent.length}`;
    expect(await produce(key, batch), `seed ${seed}`).toBe(false);
    sent.push({ key, sales: batch });
    stored += batch.length;
  };
  const nextOf = async (): Promise<readonly number[]> => (await log.bounds(topic)).map(({ next }) => next);
  const flowUntil = async (isReached: () => Promise<boolean>): Promise<void> => {
    while (!(await isReached())) for (let i = 0; i < 20; i++) await step();
  };

  await flowUntil(async () => sent.length >= 100);
  const growing = log.ensureTopics(topicsOf(graphWith(6).model));
  await flowUntil(async () => {
    await growing;
    const next = await nextOf();
    return next.length === 6 && next.slice(2).every((each) => each > 20);
  });
  await Promise.all(workers.map((worker) => worker.stop("drain")));
  // Whatever they had not come to is worked off by one that has all partitions.
  const last = await startWorker();
  const totals = async (): Promise<{ received: number; mapped: number; deduplicated: number }> => {
    const { counters } = await last.status();
    const sum = (counts: readonly number[] = []): number => counts.reduce((all, each) => all + each, 0);
    const { received, mapped, deduplicated } = counters;
    return { received: sum(received), mapped: sum(mapped), deduplicated: sum(deduplicated) };
  };
  const wanted = { received: stored, mapped: sales.length, deduplicated: stored - sales.length };
  await expect.poll(totals, { timeout: 60_000, interval: 200, message: `seed ${seed}` }).toEqual(wanted);
  expect((await last.status()).counters.received.slice(2).every((each) => each > 0)).toBe(true);
}, 240_000);
