// The store on a real Cassandra keeps the store's contract.
import { Client } from "cassandra-driver";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Clock, systemClock, systemTimers } from "../../src/core/clock.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import { type CassandraStoreOptions, cassandraStore, cassandraTableChanges } from "../../src/store/cassandra/store.ts";
import { conformanceGraph } from "../../src/store/conformance-graph.ts";
import { storeConformance } from "../../src/store/conformance.ts";
import type { CassandraAddress } from "./servers.ts";
import { sharedCassandra, uniqueName } from "./shared.ts";

const keyspace = uniqueName("conformance");
let address: CassandraAddress;
let admin: Client;

beforeAll(async () => {
  address = await sharedCassandra();
  const { contactPoint, port, localDataCenter } = address;
  admin = new Client({ contactPoints: [contactPoint], protocolOptions: { port }, localDataCenter });
  await admin.connect();
});
afterAll(() => admin?.shutdown());

storeConformance(
  "cassandra",
  async (model, clock) => {
    await empty(admin, keyspace);
    return await cassandraStore(optionsOf(address, keyspace, model, clock));
  },
  { runs: 10 },
);

describe("tables", () => {
  test("what is missing is named, made when wanted, and then there", async () => {
    const own = uniqueName("tables");
    const graph: GraphModel = { ...conformanceGraph, nodes: conformanceGraph.nodes.slice(0, 2), edges: [] };
    const options = optionsOf(address, own, graph, systemClock);
    const { tables: _, ...expecting } = options;
    await expect(cassandraStore(expecting)).rejects.toMatchObject({ code: "tables_missing" });
    const changes = await cassandraTableChanges(options);
    expect(changes.map(({ what }) => what)).toContain(`keyspace ${own}`);
    expect(changes.map(({ what }) => what)).toContain("table n_person");
    await (await cassandraStore(options)).close();
    expect(await cassandraTableChanges(options)).toEqual([]);
    await (await cassandraStore(expecting)).close();
  });
});

function optionsOf(
  address: CassandraAddress,
  keyspace: string,
  model: GraphModel,
  clock: Clock,
): CassandraStoreOptions {
  const { contactPoint, port, localDataCenter } = address;
  const replication = { [localDataCenter]: 1 };
  const connection = { contactPoints: [contactPoint], port, localDataCenter, keyspace, replication };
  return { model, connection, clock, timers: systemTimers, tables: "make" };
}

/** Empties the tables of a keyspace that hold something: making tables anew takes seconds. */
async function empty(client: Client, keyspace: string): Promise<void> {
  const tables = await client.execute(
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?",
    [keyspace],
    {
      prepare: true,
    },
  );
  await Promise.all(
    tables.rows.map(async (row) => {
      const table = row.get("table_name") as string;
      if (table === "rdg_meanings") return;
      const { rows } = await client.execute(`SELECT * FROM "${keyspace}"."${table}" LIMIT 1`);
      if (rows.length > 0) await client.execute(`TRUNCATE "${keyspace}"."${table}"`);
    }),
  );
}
