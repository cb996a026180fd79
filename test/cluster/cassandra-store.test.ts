// The store on a real Cassandra keeps the store's contract, and makes and extends its tables from the definition.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import type { GraphModel, PropertyModel } from "../../src/model/definition.ts";
import type { Buckets } from "../../src/store/cassandra/layout.ts";
import { cassandraStore, cassandraTableChanges } from "../../src/store/cassandra/store.ts";
import {
  baseMs,
  conformanceGraph,
  frameOf,
  shownBy,
  TestClock,
  upsertNode,
} from "../../src/store/conformance-graph.ts";
import { storeConformance } from "../../src/store/conformance.ts";
import { optionsOf, testKeyspace, type TestKeyspace } from "./cassandra-keyspace.ts";
import type { CassandraAddress } from "./servers.ts";
import { sharedCassandra, uniqueName } from "./shared.ts";

let address: CassandraAddress;
let keyspace: TestKeyspace;

beforeAll(async () => {
  address = await sharedCassandra();
  keyspace = await testKeyspace(address, uniqueName("conformance"));
});
afterAll(() => keyspace?.close());

storeConformance(
  "cassandra",
  async (model, clock) => {
    await keyspace.empty();
    return await cassandraStore(keyspace.optionsOf(model, clock));
  },
  { runs: 10 },
);

describe("tables", () => {
  const person = (...properties: readonly PropertyModel[]): GraphModel => ({
    ...conformanceGraph,
    nodes: [{ name: "person", properties }],
    edges: [],
  });
  const name: PropertyModel = { name: "name", type: { kind: "string" }, merge: "last" };
  const visits: PropertyModel = { name: "visits", type: { kind: "int64" }, merge: "sum" };

  test("what is missing is named, made when wanted, and then there; what was written stays", async () => {
    const own = uniqueName("tables");
    const clock = new TestClock();
    const first = optionsOf(address, own, person(name), clock);
    await expect(cassandraStore({ ...first, tables: "expect" })).rejects.toMatchObject({ code: "tables_missing" });
    const changes = await cassandraTableChanges(first);
    expect(changes.map(({ what }) => what)).toContain(`keyspace ${own}`);
    expect(changes.map(({ what }) => what)).toContain("table n_person");
    const before = await cassandraStore(first);
    await before.apply(frameOf(0, [upsertNode("person", "a", baseMs, { name: "A" })], { model: person(name) }));
    await before.close();
    expect(await cassandraTableChanges(first)).toEqual([]);

    const wider = person(visits, name);
    const second = optionsOf(address, own, wider, clock);
    expect((await cassandraTableChanges(second)).map(({ what }) => what)).toContain("columns p_visits of n_person");
    const after = await cassandraStore(second);
    try {
      await after.apply(frameOf(1, [upsertNode("person", "a", baseMs, { visits: 2 })], { model: wider }));
      const [shown] = [...(await shownBy(after, wider)).values()];
      expect(shown?.properties).toEqual({ name: "A", visits: 2 });
    } finally {
      await after.close();
    }
  });

  test("a column is not given another meaning", async () => {
    const own = uniqueName("meanings");
    await (await cassandraStore(optionsOf(address, own, person(name), systemClock))).close();
    const other = optionsOf(address, own, person({ ...name, merge: "max" }), systemClock);
    await expect(cassandraStore(other)).rejects.toMatchObject({ code: "column_in_use", place: "n_person.p_name" });
  });

  test("into how many partitions records are cut is not changed", async () => {
    const own = uniqueName("buckets");
    const owns: GraphModel = {
      ...conformanceGraph,
      nodes: conformanceGraph.nodes.slice(0, 2),
      edges: conformanceGraph.edges.slice(1, 2),
    };
    const options = optionsOf(address, own, owns, systemClock);
    const cut = (buckets: Buckets) => cassandraStore({ ...options, settings: { buckets } });
    await expect(cut({ owns: { in: 0 } })).rejects.toMatchObject({ code: "bad_buckets", place: "buckets.owns" });
    await (await cut({ owns: { in: 4 } })).close();
    expect(await cassandraTableChanges({ ...options, settings: { buckets: { owns: { in: 4 } } } })).toEqual([]);
    await expect(cut({ owns: { in: 8 } })).rejects.toMatchObject({ code: "buckets_in_use", place: "r_owns" });
    // Keyspaces of earlier releases say nothing: their records lie in one partition each.
    await expect(cut({ owns: { in: 4, out: 2 } })).rejects.toMatchObject({ code: "buckets_in_use", place: "e_owns" });
    await expect(cut({})).rejects.toMatchObject({ code: "buckets_in_use", place: "r_owns" });
  });

  test("a keyspace is made only when its replicas are named", async () => {
    const { connection, ...rest } = optionsOf(address, uniqueName("missing"), person(name), systemClock);
    const { replication: _, ...unnamed } = connection;
    await expect(cassandraStore({ ...rest, connection: unnamed })).rejects.toMatchObject({ code: "keyspace_missing" });
  });
});
