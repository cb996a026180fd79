// Single types on another store under one definition: replicas and Cassandra together answer as one replica does, byte by byte, whoever is killed; and a type is moved.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readDeployment } from "../../src/compose/cluster/deployment.ts";
import { openServedGraph } from "../../src/compose/cluster/placed-graph.ts";
import { onStore, readStores } from "../../src/compose/cluster/placement-settings.ts";
import { openReplica } from "../../src/compose/cluster/replica.ts";
import { clusterSettings } from "../../src/compose/cluster/settings.ts";
import { createLogger } from "../../src/compose/logger.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { seededRandom } from "../../src/core/random.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import { parsePosition } from "../../src/model/position.ts";
import type { ProcessStatus } from "../../src/observe/port.ts";
import { differencesOf } from "../../src/store/conformance-graph.ts";
import { runCli } from "../cli/run-cli.ts";
import { canonicalOf } from "../export/exported.ts";
import { type ClusterFlags, RoleProcess } from "./role-process.ts";
import { sharedCassandra, sharedKafka, uniqueName } from "./shared.ts";
import { Visits } from "./visits.ts";

const graph = fileURLToPath(new URL("visits.graph.ts", import.meta.url));
const patienceMs = 120_000;

test(
  "edges on Cassandra, nodes in replicas: one graph, equal to that of one replica; then a node type moves there, too",
  { timeout: 600_000 },
  async () => {
    const [{ bootstrap }, cassandra] = await Promise.all([sharedKafka(), sharedCassandra()]);
    const prefix = `${uniqueName("placement")}.`;
    await using opened = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "rdg-placement-"));
    opened.defer(() => rm(folder, { recursive: true, force: true }));
    const place = {
      contacts: `${cassandra.contactPoint}:${cassandra.port}`,
      dataCenter: cassandra.localDataCenter,
      replicas: 1,
    };
    const stores = {
      history: { ...place, keyspace: uniqueName("history") },
      people: { ...place, keyspace: uniqueName("people") },
    };
    const config = join(folder, "rdg.config.ts");
    const settle = (placement: Readonly<Record<string, string>>): Promise<void> =>
      writeFile(config, `export default ${JSON.stringify({ stores, placement })};`);
    await settle({ "edges.visited": "history", "nodes.place": "history" });
    const start = async (role: string, flags: ClusterFlags): Promise<RoleProcess> => {
      const each = await RoleProcess.prepare(role, flags, ["--config", config]);
      opened.defer(() => each.dispose());
      await each.start();
      return each;
    };
    const registry = await start("registry", { graph, bootstrap, prefix });
    const flags = { graph, bootstrap, prefix, registryUrl: `${registry.url}/registry` };
    const kafka = ["--kafka-bootstrap", bootstrap, "--kafka-prefix", prefix, "--registry-url", flags.registryUrl];
    const rdg = (command: string) => runCli([command, graph, "--config", config, ...kafka]);

    const planned = await rdg("plan");
    expect(planned.out).toMatch(/\+ placement edges\.visited +on store history/);
    expect(planned.out).toMatch(/table e_visited of store history/);
    expect(planned.out).not.toMatch(/columns .* of store people/);
    expect(await rdg("deploy")).toMatchObject({ code: 0 });
    expect(await rdg("deploy")).toMatchObject({ code: 0, out: "everything is there\n" });

    const [gateway, writer, server] = [
      await start("gateway,jobs", flags),
      await start("store", flags),
      await start("serve", flags),
    ];
    const seed = Date.now();
    console.info(`seed ${seed}`);
    const visits = new Visits(seededRandom(seed), [gateway.url]);
    await visits.sendPlaces();
    for (let i = 0; i < 5; i++) await visits.send(50);
    await server.stop("SIGKILL");
    for (let i = 0; i < 5; i++) await visits.send(50);
    await server.start();
    await visits.shown([server.url], patienceMs);
    await visits.check(server.url);
    const status = (await (await fetch(`${server.url}/v1/status`)).json()) as ProcessStatus;
    expect(status.placement).toEqual({ "edges.visited": "history", "nodes.place": "history" });

    // What a store has applied already it does not apply again for a type that comes later.
    await settle({ "edges.visited": "history" });
    const refused = await rdg("deploy");
    expect(refused).toMatchObject({ code: 4 });
    expect(refused.err).toContain("Store main has applied transactions already");
    await settle({ "edges.visited": "history", "nodes.place": "history", "nodes.person": "people" });
    const moved = await rdg("deploy");
    expect(moved).toMatchObject({ code: 0 });
    expect(moved.out).toMatch(
      /~ placement nodes\.person +store main -> people {2}\(It is built there from the log\.\)/,
    );
    for (const each of [writer, server]) {
      expect(await each.stop("SIGTERM"), each.messages).toBe(0);
      await each.start();
    }
    await visits.send(50);
    await visits.shown([server.url], patienceMs);
    await visits.check(server.url);
    await expectOneGraph();

    /** The stores together and one replica of everything, fed from the same log, hold the same. */
    async function expectOneGraph(): Promise<void> {
      const ports = { clock: systemClock, timers: systemTimers, logger: createLogger("silent") };
      await using own = new AsyncDisposableStack();
      const log = await openKafkaLog({ connection: { bootstrap: [bootstrap] }, ...ports, settings: { prefix } });
      own.defer(() => log.close());
      const { model } = (await readDeployment(log))!;
      const defaults = resolveSettings(clusterSettings, {}).values;
      const settingsIn = (name: string) => ({
        ...defaults,
        data: join(folder, uniqueName(name)),
        stores: readStores(stores, defaults, {}, config),
      });
      const continuationKey = new Uint8Array(32);
      const onFailure = (error: unknown): void => console.error(error);
      const common = { ...ports, log, continuationKey, onFailure };
      const whole = unplaced(model);
      const placed = await openServedGraph({ ...common, model, settings: settingsIn("placed") });
      own.defer(() => placed.close());
      const replica = await openReplica({ ...common, model: whole, settings: settingsIn("whole") });
      own.defer(() => replica.close());
      const positions = visits.positions.map(parsePosition);
      for (const each of [placed, replica]) {
        await each.start();
        expect(await each.waitFor(positions, patienceMs, new AbortController().signal)).toBe(true);
      }
      const [ofAll, ofOne] = await Promise.all(
        [placed, replica].map(({ store }) => canonicalOf({ model: whole, store, clock: systemClock })),
      );
      expect(ofAll!.split("\n")).toEqual(ofOne!.split("\n"));
      expect(await differencesOf(placed.store)).toEqual([]);
    }
  },
);

function unplaced(model: GraphModel): GraphModel {
  return {
    ...model,
    nodes: model.nodes.map((node) => onStore(node, undefined)),
    edges: model.edges.map((edge) => onStore(edge, undefined)),
  };
}
