// Type topics that are published over Kafka: a client that knows nothing of RDG reads single updates, and one reader of RDG's takes both forms, also mixed.
import { expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { count, defineGraph, edge, event, job, node, t } from "../../src/index.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { Log, TopicSettings } from "../../src/log/port.ts";
import { modelSchemas } from "../../src/model/avro/schemas.ts";
import { batchOfElements } from "../../src/model/update/batch-of-elements.ts";
import { encodeUpdateBatch } from "../../src/model/update/codec.ts";
import type { UpdateRow } from "../../src/model/update/rows.ts";
import { compileTypePublisher, compileTypeReader, type PublishedForm } from "../../src/model/update/type-records.ts";
import { openConfluentRegistry } from "../../src/schemas/confluent/registry.ts";
import { openPython } from "./python.ts";
import { startRegistry } from "./servers.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

const account = node("account", { name: t.string(), visits: t.counter(), tags: t.set(t.string()) });
const knows = edge("knows", account, account, { properties: { since: t.timestamp() } });
const visit = event("visit", { key: "by", time: "at", fields: { by: t.string(), at: t.timestamp() } });
const { model } = defineGraph("people", {
  jobs: [job(visit).emit((e) => [account.upsert(e.by, { visits: count(1) }), knows.upsert(e.by, e.by)])],
});

const accounts = (from: number, to: number): UpdateRow[] =>
  Array.from({ length: to - from }, (_, i) => ({
    kind: "node",
    type: "account",
    id: `a${from + i}`,
    firstSeenMs: 1_000,
    lastSeenMs: 2_000 + i,
    properties: {
      name: { value: `Name ${from + i}`, timeMs: 2_000 + i },
      visits: { value: from + i },
      tags: { value: ["x", "y"] },
    },
  }));

const friendship: UpdateRow = {
  kind: "edge",
  type: "knows",
  from: "a1",
  to: "a2",
  firstSeenMs: 5,
  lastSeenMs: 5,
  properties: { since: { value: 5, timeMs: 5 } },
};

const topicsAs = (published: PublishedForm | undefined): TopicSettings[] => [
  { name: "events.visit", form: "records", partitions: 1, retention: {} },
  ...["nodes.account", "edges.knows"].map((name): TopicSettings => ({
    name,
    form: "updates",
    partitions: published === undefined ? 1 : 2,
    retention: published === undefined ? {} : { timeMs: 86_400_000 },
    ...(published && { published }),
  })),
];

/** As a job publishes a window. */
async function commit(
  log: Log,
  rows: readonly UpdateRow[],
  published: PublishedForm,
  schemaIds: ReadonlyMap<string, number>,
): Promise<void> {
  const batch = batchOfElements(model, rows);
  const output = await log.jobOutput("visit");
  await output.commit({
    updates: encodeUpdateBatch(batch),
    published: ["nodes.account", "edges.knows"].flatMap((name) => {
      const publish = compileTypePublisher(model, { name, partitions: 2, published, schemaId: schemaIds.get(name)! });
      return publish(batch).map((records) => ({ topic: name, ...records }));
    }),
    quarantined: undefined,
    inputs: [],
    counters: {},
  });
  await output.close();
}

async function read(log: Log, topic: string): Promise<Map<string, UpdateRow>> {
  const readRecord = compileTypeReader(model, topic);
  const found = new Map<string, UpdateRow>();
  for await (const { values, count: records } of log.read({ topics: [topic], until: [] })) {
    for (let i = 0; i < records; i++) {
      for (const row of readRecord(values, i)) {
        found.set(row.kind === "node" ? row.id : `${row.from} ${row.to}`, row);
      }
    }
  }
  return found;
}

const plain = (row: UpdateRow | undefined): unknown => row && { ...row, properties: { ...row.properties } };

test("single updates for everybody, packed ones for RDG's readers, and both in one topic when the setting changes", async () => {
  const { bootstrap } = await sharedKafka();
  const prefix = `${uniqueName("types")}.`;
  await using stack = new AsyncDisposableStack();
  const registryServer = await startRegistry();
  stack.defer(() => registryServer.stop());
  const time = { clock: systemClock, timers: systemTimers };
  const log = await openKafkaLog({ connection: { bootstrap: [bootstrap] }, ...time, settings: { prefix } });
  stack.defer(() => log.close());
  const registry = openConfluentRegistry({ connection: { urls: [registryServer.url] }, ...time });
  stack.defer(() => registry.close());
  const schemaIds = new Map<string, number>();
  for (const { subject, schema } of modelSchemas(model)) {
    schemaIds.set(subject.replace(/-value$/, ""), (await registry.register(subject, schema)).id);
  }

  await log.ensureTopics(topicsAs(undefined));
  await expect(commit(log, accounts(0, 1), "single", schemaIds)).rejects.toMatchObject({ code: "not_published" });
  await log.ensureTopics(topicsAs("single"));
  await commit(log, [...accounts(0, 10), friendship], "single", schemaIds);

  const python = await openPython();
  stack.defer(() => python.dispose());
  const told = await python.run("team_topics.py", [
    "read",
    bootstrap,
    registryServer.url,
    `${prefix}nodes.account`,
    "10",
  ]);
  const records = told
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: string; properties: { name: { v: string }; visits: number } });
  const byNumber = records.toSorted((a, b) => a.properties.visits - b.properties.visits);
  expect(byNumber.map(({ id, properties }) => [id, properties.name.v, properties.visits])).toEqual(
    accounts(0, 10).map(({ properties }, i) => [`a${i}`, properties["name"]!.value, properties["visits"]!.value]),
  );

  await log.ensureTopics(topicsAs("packed"));
  await commit(log, accounts(10, 30), "packed", schemaIds);
  await log.ensureTopics(topicsAs("single"));
  await commit(log, accounts(30, 40), "single", schemaIds);
  const found = await read(log, "nodes.account");
  for (const row of accounts(0, 10)) expect(plain(found.get((row as { id: string }).id))).toEqual(plain(row));
  expect(found.size).toBe(40);
  expect(plain((await read(log, "edges.knows")).get("a1 a2"))).toEqual(friendship);

  // The jobs' transactions are there besides, and stores go by them.
  const [bounds] = await log.bounds("nodes.account");
  let windows = 0;
  for await (const frame of log.readUpdates({ until: bounds!.next - 1 }))
    windows += frame.updates() === undefined ? 0 : 1;
  expect(windows).toBe(3);
});
