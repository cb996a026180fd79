// `npm run cluster` as people use it: up, asked, down, and up again with what it had; and what it says when something is in the way.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Admin } from "@platformatic/kafka";
import { Client } from "cassandra-driver";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ServerState } from "../../scripts/cluster/cluster.ts";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { systemTimers } from "../../src/core/clock.ts";
import { run, type Ran } from "../foreign/run.ts";

const script = fileURLToPath(new URL("../../scripts/cluster.ts", import.meta.url));
let data: string;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "rdg-command-"));
});

afterEach(async () => {
  await cluster("down", "--wipe");
  await rm(data, { recursive: true });
});

const cluster = (command: string, ...flags: readonly string[]): Promise<Ran> =>
  run(process.execPath, ["--conditions=rdg-source", script, command, "--data", data, ...flags], { timeoutMs: 600_000 });

test("up, asked, down, and up again with its data", { timeout: 300_000 }, async () => {
  const [kafka, registry, cassandra] = (await freePorts(3)) as [number, number, number];
  const ports = ["--kafka-port", kafka, "--registry-port", registry, "--cassandra-port", cassandra].map(String);
  const up = await cluster("up", "--json", ...ports);
  expect(up).toMatchObject({ code: 0 });
  const states = JSON.parse(up.stdout) as readonly ServerState[];
  expect(states.map(({ name, running, address }) => ({ name, running, address }))).toEqual([
    { name: "kafka", running: true, address: `127.0.0.1:${kafka}` },
    { name: "registry", running: true, address: `http://127.0.0.1:${registry}/registry` },
    { name: "cassandra", running: true, address: `127.0.0.1:${cassandra} (data center datacenter1)` },
  ]);
  expect(await topicsOf(kafka, "kept")).toEqual(["kept"]);
  expect(await (await fetch(`http://127.0.0.1:${registry}/registry/subjects`)).json()).toEqual([]);
  const client = new Client({
    contactPoints: ["127.0.0.1"],
    protocolOptions: { port: cassandra },
    localDataCenter: "datacenter1",
  });
  await client.execute("SELECT release_version FROM system.local");
  await client.shutdown();

  // What runs is left alone.
  const again = await cluster("up", "--json");
  expect((JSON.parse(again.stdout) as readonly ServerState[]).map(({ pid }) => pid)).toEqual(
    states.map(({ pid }) => pid),
  );
  expect(await cluster("status")).toMatchObject({ code: 0 });
  expect((await cluster("logs", "kafka", "--lines", "500")).stdout).toContain("Kafka Server started");

  expect(await cluster("down")).toMatchObject({ code: 0 });
  expect(await cluster("status")).toMatchObject({
    code: 4,
    stdout: /^kafka +down\nregistry +down\ncassandra +down\n$/,
  });
  expect(await cluster("up", "kafka")).toMatchObject({ code: 0 });
  expect(await topicsOf(kafka)).toEqual(["kept"]);
});

test(
  "Flink besides, where it is asked for: a statement runs through its SQL Gateway",
  { timeout: 300_000 },
  async () => {
    const [flink, gateway] = (await freePorts(2)) as [number, number];
    const ports = ["--flink-port", flink, "--flink-sqlgateway-port", gateway].map(String);
    expect(await cluster("up", "flink", ...ports)).toMatchObject({ code: 0 });
    const status = JSON.parse((await cluster("status", "--json")).stdout) as readonly ServerState[];
    expect(status.filter(({ running }) => running).map(({ name, address }) => ({ name, address }))).toEqual([
      { name: "flink-jobmanager", address: `http://127.0.0.1:${flink}` },
      { name: "flink-taskmanager", address: `http://127.0.0.1:${flink}` },
      { name: "flink-sqlgateway", address: `http://127.0.0.1:${gateway}` },
    ]);
    expect(
      await valuesOf(`http://127.0.0.1:${gateway}`, "SELECT UPPER('ß' || x) FROM (VALUES ('a'), ('b')) AS t(x)"),
    ).toEqual(expect.arrayContaining(["SSA", "SSB"]));
  },
);

test("a port that is taken is told of, with the flag that takes another", async () => {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const { code, output } = await cluster("up", "kafka", "--kafka-port", String(port));
  server.close();
  expect(output).toContain(`Somebody else listens on port ${port}, which kafka needs.`);
  expect(output).toContain("npm run cluster -- up --kafka-port PORT");
  expect(code).toBe(4);
});

test("a folder where nothing was started has no logs, and nothing to stop", async () => {
  expect(await cluster("logs")).toMatchObject({ code: 3, output: /There are no logs/ });
  expect(await cluster("down")).toMatchObject({ code: 0 });
});

test.each([
  [["up", "mysql"], /mysql.*kafka, registry, cassandra, flink/],
  [["up", "--with", "mysql"], /mysql.*flink/],
  [["up", "--kafka-port", "70000"], /at most 65535/],
  [["sideways"], /unknown command 'sideways'/],
])("%j is wrong usage", async ([command, ...flags], message) => {
  expect(await cluster(command!, ...flags)).toMatchObject({ code: 2, output: message });
});

/** @param created one that is made first */
async function topicsOf(port: number, created?: string): Promise<readonly string[]> {
  const admin = new Admin({ clientId: "test", bootstrapBrokers: [`127.0.0.1:${port}`] });
  try {
    if (created !== undefined) await admin.createTopics({ topics: [created], partitions: 1, replicas: 1 });
    return await admin.listTopics();
  } finally {
    await admin.close();
  }
}

/** The first column of what a query yields, by the gateway's REST API. */
async function valuesOf(gateway: string, statement: string): Promise<readonly unknown[]> {
  const call = async <Answer>(path: string, body?: object): Promise<Answer> => {
    const sent = body && {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    };
    const response = await fetch(gateway + path, sent);
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as Answer;
  };
  const { sessionHandle } = await call<{ sessionHandle: string }>("/v2/sessions", {});
  const session = `/v2/sessions/${sessionHandle}`;
  const { operationHandle } = await call<{ operationHandle: string }>(`${session}/statements`, { statement });
  const values: unknown[] = [];
  let next: string | undefined = `${session}/operations/${operationHandle}/result/0?rowFormat=JSON`;
  while (next !== undefined) {
    const page: ResultPage = await call(next);
    values.push(...(page.results?.data ?? []).map(({ fields }) => fields[0]));
    if (page.resultType === "EOS") break;
    next = page.nextResultUri;
    if (page.resultType === "NOT_READY") await systemTimers.sleep(50);
  }
  return values;
}

interface ResultPage {
  readonly resultType: "NOT_READY" | "PAYLOAD" | "EOS";
  readonly nextResultUri?: string;
  readonly results?: { readonly data: readonly { readonly fields: readonly unknown[] }[] };
}
