// Serving processes before Cassandra that share a cache server: they answer what the store does, from what the other one has read, and go on without the server.
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { seededRandom } from "../../src/core/random.ts";
import { runCli } from "../cli/run-cli.ts";
import { firstSeed } from "../first-seed.ts";
import { type ClusterFlags, RoleProcess } from "./role-process.ts";
import { startRedis } from "./servers.ts";
import { sharedCassandra, sharedKafka, uniqueName } from "./shared.ts";
import { peopleIds, Visits } from "./visits.ts";

const graph = fileURLToPath(new URL("visits.graph.ts", import.meta.url));

test("two serving processes share what they have read of Cassandra; a killed cache server is not missed", async () => {
  const [{ bootstrap }, cassandra] = await Promise.all([sharedKafka(), sharedCassandra()]);
  await using opened = new AsyncDisposableStack();
  const redis = await startRedis();
  opened.defer(() => redis.stop());
  const prefix = `${uniqueName("cache")}.`;
  const store = Object.entries({
    "store-kind": "cassandra",
    "cassandra-contacts": `${cassandra.contactPoint}:${cassandra.port}`,
    "cassandra-data-center": cassandra.localDataCenter,
    "cassandra-keyspace": uniqueName("cache"),
    "cassandra-replicas": "1",
    "cache-url": `redis://${redis.host}:${redis.port}`,
    "cache-timeout": "2s",
    "cache-budget": "4s",
    "serve-cache": "64MB",
    "serve-cache-ttl": "2s",
  }).flatMap(([name, value]) => [`--${name}`, value]);
  const start = async (role: string, flags: ClusterFlags): Promise<RoleProcess> => {
    const each = await RoleProcess.prepare(role, flags, store);
    opened.defer(() => each.dispose());
    await each.start();
    return each;
  };
  const registry = await start("registry", { graph, bootstrap, prefix });
  const flags = { graph, bootstrap, prefix, registryUrl: `${registry.url}/registry` };
  const where = ["--kafka-bootstrap", bootstrap, "--kafka-prefix", prefix, "--registry-url", flags.registryUrl];
  expect(await runCli(["deploy", graph, ...where, ...store])).toMatchObject({ code: 0 });
  const roles = ["gateway,jobs", "store", "serve", "serve"];
  const [gateway, , one, two] = (await Promise.all(roles.map((role) => start(role, flags)))) as [
    RoleProcess,
    RoleProcess,
    RoleProcess,
    RoleProcess,
  ];
  const visits = new Visits(seededRandom(firstSeed("ROLES_SEED")), [gateway.url]);
  await visits.sendPlaces();
  for (let i = 0; i < 10; i++) await visits.send(30);
  await visits.shown([one.url, two.url], 60_000);

  const figure = async (url: string, series: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(
      text
        .split("\n")
        .find((line) => line.startsWith(series))
        ?.slice(series.length) ?? Number.NaN,
    );
  };
  /** Reads that may be answered from caches, until both processes tell what the store does. */
  const agreed = async (): Promise<void> => {
    const expected = await visits.read(one.url, peopleIds);
    for (const { url } of [one, two]) expect(await visits.read(url, peopleIds, [])).toEqual(expected);
  };
  const patient = { timeout: 60_000, interval: 300 };
  await vi.waitFor(async () => {
    await agreed();
    for (const of of ["tier nodes", "tier adjacency"]) {
      expect(await figure(two.url, `rdg_cache_reads_total{of="${of}",outcome="hit"}`)).toBeGreaterThan(0);
    }
  }, patient);
  expect(await figure(two.url, 'rdg_cache_tier_unused_total{cause="unreadable"}')).toBe(0);

  await redis.kill();
  await visits.send(30);
  await vi.waitFor(agreed, patient);
  const connected = `rdg_cache_tier_connected{server="${redis.host}:${redis.port}"}`;
  expect(await figure(two.url, connected)).toBe(0);
  await redis.restart();
  await vi.waitFor(async () => expect(await figure(two.url, connected)).toBe(1), patient);
  await vi.waitFor(agreed, patient);
});
