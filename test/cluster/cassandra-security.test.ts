// The store over TLS with a login, on a node that asks for both; and what it says when it is refused.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cassandraConnectionOf, clusterSettings, type ClusterSettings } from "../../src/compose/cluster/settings.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import { type CassandraStore, cassandraStore } from "../../src/store/cassandra/store.ts";
import { baseMs, conformanceGraph, frameOf, shownBy, upsertNode } from "../../src/store/conformance-graph.ts";
import { issue } from "../auth/der.ts";
import { type CassandraServer, startSecureCassandra } from "./servers.ts";

const ca = issue({ commonName: "test authority" });
const node = issue({ commonName: "cassandra", dns: ["cassandra.example"], issuer: ca });
const strangeCa = issue({ commonName: "another authority" });
const model: GraphModel = { ...conformanceGraph, nodes: conformanceGraph.nodes.slice(1, 2), edges: [] };
let cassandra: CassandraServer;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-certificates-"));
  await writeFile(join(folder, "ca.pem"), ca.cert);
  await writeFile(join(folder, "strange.pem"), strangeCa.cert);
  cassandra = await startSecureCassandra({ cert: `${node.cert}${ca.cert}`, key: node.key });
}, 300_000);
afterAll(async () => {
  await cassandra?.stop();
  await rm(folder, { recursive: true, force: true });
});

const defaults = Object.fromEntries(
  Object.entries(clusterSettings).map(([name, setting]) => [name, setting.default]),
) as unknown as ClusterSettings;

/** As `rdg start` has them: from settings. */
async function open(wishes: Partial<ClusterSettings>): Promise<CassandraStore> {
  const settings: ClusterSettings = {
    ...defaults,
    "cassandra.contacts": `${cassandra.contactPoint}:${cassandra.port}`,
    "cassandra.dataCenter": cassandra.localDataCenter,
    "cassandra.keyspace": "secured",
    "cassandra.replicas": 1,
    "cassandra.tls": true,
    "cassandra.ca": join(folder, "ca.pem"),
    "cassandra.serverName": "cassandra.example",
    "cassandra.username": "cassandra",
    "cassandra.password": "cassandra",
    ...wishes,
  };
  const connection = await cassandraConnectionOf(settings);
  return await cassandraStore({ model, connection, clock: systemClock, timers: systemTimers, tables: "make" });
}

test("with the right authority and password it writes and reads", async () => {
  const store = await open({});
  try {
    await store.apply(frameOf(0, [upsertNode("thing", "a", baseMs)], { model }));
    expect((await shownBy(store, model)).size).toBe(1);
  } finally {
    await store.close();
  }
});

test.each([
  ["a wrong password", { "cassandra.password": "wrong" }, "cassandra_refused"],
  ["no login", { "cassandra.username": "", "cassandra.password": "" }, "cassandra_refused"],
  ["an authority that is not trusted", { "cassandra.ca": "strange.pem" }, "cassandra_tls_refused"],
  ["authorities that Node trusts", { "cassandra.ca": "" }, "cassandra_tls_refused"],
  ["a certificate of another name", { "cassandra.serverName": "other.example" }, "cassandra_tls_refused"],
])("%s is refused, and not tried again", async (_, wishes: Partial<ClusterSettings>, code) => {
  const ca = wishes["cassandra.ca"];
  const own = ca === undefined || ca === "" ? wishes : { ...wishes, "cassandra.ca": join(folder, ca) };
  await expect(open(own)).rejects.toMatchObject({ kind: "unauthorized", code });
});

test("without TLS the node hangs up: the hint says what to look at", async () => {
  const plain = { "cassandra.tls": false, "cassandra.ca": "", "cassandra.serverName": "" };
  await expect(open(plain)).rejects.toMatchObject({
    kind: "unavailable",
    hint: expect.stringContaining("cassandra.tls") as string,
  });
});

test.each([
  [{ "cassandra.tls": false }, "cassandra.serverName"],
  [{ "cassandra.tls": false, "cassandra.serverName": "" }, "cassandra.ca"],
  [{ "cassandra.key": "key.pem" }, "cassandra.cert"],
  [{ "cassandra.username": "" }, "cassandra.username"],
  [{ "cassandra.password": "" }, "cassandra.password"],
  [{ "cassandra.ca": "/nowhere/ca.pem" }, "/nowhere/ca.pem"],
])("settings that do not fit are refused: %j", async (wishes, place) => {
  await expect(open(wishes)).rejects.toMatchObject({ kind: "invalid", code: "bad_setting", place });
});
