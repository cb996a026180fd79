// The Cassandra of the tests serves: a table is made, written and read; killed and started again it has kept its rows.
import { Client } from "cassandra-driver";
import { expect, test } from "vitest";
import { startCassandra, type CassandraAddress } from "./servers.ts";
import { sharedCassandra, uniqueName } from "./shared.ts";

test("rows are written and read", async () => {
  const keyspace = uniqueName("smoke");
  await withClient(await sharedCassandra(), async (client) => {
    await createTable(client, keyspace);
    expect(await valuesOf(client, keyspace)).toEqual(["one", "two"]);
  });
});

test("a node that was killed has kept what it acknowledged, also compacted", async () => {
  const cassandra = await startCassandra("batch");
  try {
    await withClient(cassandra, (client) => createTable(client, "kept"));
    await cassandra.kill();
    await cassandra.restart();
    await withClient(cassandra, async (client) => expect(await valuesOf(client, "kept")).toEqual(["one", "two"]));
    await cassandra.nodetool("flush", "kept");
    await cassandra.nodetool("compact", "kept");
    expect(await cassandra.nodetool("tablestats", "kept")).toMatch(/SSTable count: 1\n/);
    await withClient(cassandra, async (client) => expect(await valuesOf(client, "kept")).toEqual(["one", "two"]));
  } finally {
    await cassandra.stop();
  }
});

async function withClient(address: CassandraAddress, use: (client: Client) => Promise<void>): Promise<void> {
  const { contactPoint, port, localDataCenter } = address;
  const client = new Client({ contactPoints: [contactPoint], protocolOptions: { port }, localDataCenter });
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.shutdown();
  }
}

async function createTable(client: Client, keyspace: string): Promise<void> {
  const replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
  await client.execute(`CREATE KEYSPACE ${keyspace} WITH replication = ${replication}`);
  await client.execute(`CREATE TABLE ${keyspace}.kept (id int, at int, value text, PRIMARY KEY (id, at))`);
  const insert = `INSERT INTO ${keyspace}.kept (id, at, value) VALUES (1, ?, ?)`;
  for (const [at, value] of ["one", "two"].entries()) await client.execute(insert, [at, value], { prepare: true });
}

async function valuesOf(client: Client, keyspace: string): Promise<readonly unknown[]> {
  const { rows } = await client.execute(`SELECT value FROM ${keyspace}.kept WHERE id = 1`);
  return rows.map((row) => row.get("value") as unknown);
}
