// A Cassandra that is killed, stands still, or does not take some writes: nothing is lost, nothing is counted twice, and whoever waits is told in time.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import { systemRandom } from "../../src/core/random.ts";
import type { UpdateFrame } from "../../src/log/port.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { Update } from "../../src/model/update/element.ts";
import { DegreeCounters } from "../../src/store/cassandra/degree-counters.ts";
import { DegreeUpkeep } from "../../src/store/cassandra/degree-upkeep.ts";
import { layoutOf } from "../../src/store/cassandra/layout.ts";
import { Removals } from "../../src/store/cassandra/removals.ts";
import { RowsRead } from "../../src/store/cassandra/rows-read.ts";
import { Session, type Statement } from "../../src/store/cassandra/session.ts";
import { type CassandraBounds, cassandraDefaults } from "../../src/store/cassandra/settings.ts";
import { type CassandraStore, cassandraStore } from "../../src/store/cassandra/store.ts";
import { Supernodes } from "../../src/store/cassandra/supernodes.ts";
import { Writer } from "../../src/store/cassandra/writer.ts";
import {
  baseMs,
  conformanceGraph,
  differencesOf,
  frameOf,
  meantBy,
  remove,
  shownBy,
  TestClock,
  upsertEdge,
  upsertNode,
} from "../../src/store/conformance-graph.ts";
import { optionsOf } from "./cassandra-keyspace.ts";
import { type CassandraServer, startCassandra } from "./servers.ts";
import { uniqueName } from "./shared.ts";

/** Few tables: making them takes a node longer than all else here. */
const model: GraphModel = {
  ...conformanceGraph,
  nodes: conformanceGraph.nodes.slice(0, 2),
  edges: conformanceGraph.edges.slice(0, 2),
};
const clock = new TestClock();
const signal = new AbortController().signal;
let server: CassandraServer;

beforeAll(async () => {
  server = await startCassandra("batch");
});
afterAll(() => server?.stop());

/** The clock of waiting is the system's: a store that is told that no time passes never gives up. */
const storeClock = { now: () => clock.now(), monotonicMs: () => systemClock.monotonicMs() };

const open = (keyspace: string, settings: Partial<CassandraBounds>): Promise<CassandraStore> =>
  cassandraStore({ ...optionsOf(server, keyspace, model, storeClock), settings });

const frames: readonly UpdateFrame[] = Array.from({ length: 16 }, (_, n) => frameOf(n, updatesOf(n), { model }));
const { source } = frames[0]!;
const updates = Array.from({ length: 16 }, (_, n) => updatesOf(n)).flat();

function updatesOf(n: number): Update[] {
  const timeMs = baseMs + n;
  return [
    ...Array.from({ length: 40 }, (_, i) =>
      upsertEdge("knows", `p${i % 5}`, `p${(i * n) % 37}`, timeMs - (i % 7), {
        times: 1,
        note: `n${n}`,
        places: [`${i % 4}`],
      }),
    ),
    upsertNode("person", `p${n % 11}`, timeMs, { visits: 1, name: `n${n}`, score: n }),
    ...(n % 4 === 0 ? [remove({ kind: "node", type: "person", id: `p${n % 37}` }, timeMs)] : []),
  ];
}

describe("a node that goes away", () => {
  test("killed under writes: they go on when it is back, and every count is exact", async () => {
    const store = await open("killed", { writeRetryForMs: 120_000, requestTimeoutMs: 2_000, batchStatementsMax: 7 });
    try {
      for (const [n, frame] of frames.entries()) {
        // Away before anything is asked of it: what a frame has to read first waits for it, too.
        if (n === 9) await server.kill();
        const applying = store.apply(frame);
        applying.catch(() => undefined);
        if (n === 6) await server.kill();
        if (n === 6 || n === 9) await server.restart();
        await applying;
      }
      for (const frame of frames) await store.apply(frame);
      await store.applied();
      for (const frame of frames.slice(0, 8)) await store.apply(frame);
      expect(await shownBy(store, model)).toEqual(meantBy(updates, baseMs, model));
      expect(await differencesOf(store)).toEqual([]);
    } finally {
      await store.close();
    }
  });

  test("standing still: reads end with their caller, writes are given up in time, and repeated change nothing twice", async () => {
    const bounds = { writeRetryForMs: 500, readRetryForMs: 300, requestTimeoutMs: 400, batchStatementsMax: 9 };
    const store = await open("paused", bounds);
    try {
      for (const frame of frames.slice(0, 10)) await store.apply(frame);
      await server.pause();
      try {
        const reader = store.reader();
        const leaving = new AbortController();
        const asked = reader.find(0, ["p1"], leaving.signal);
        leaving.abort(new RdgError("unavailable", "gone", "The caller went away."));
        await expect(asked).rejects.toMatchObject({ code: "gone" });
        await expect(reader.find(0, ["p1"], signal)).rejects.toMatchObject({ kind: "unavailable" });
        await expect(store.apply(frames[10]!)).rejects.toMatchObject({ kind: "unavailable" });
      } finally {
        await server.resume();
      }
      for (const frame of frames.slice(10)) await patiently(() => store.apply(frame));
      expect(await shownBy(store, model)).toEqual(meantBy(updates, baseMs, model));
      expect(await differencesOf(store)).toEqual([]);
    } finally {
      await store.close();
    }
  });
});

describe("writes that are not taken", () => {
  test("go to the repair queue, and are made from it at any later time; readers are not told of them before", async () => {
    const keyspace = uniqueName("repairs");
    const store = await open(keyspace, {});
    const kept: Uint8Array[] = [];
    let made = 0;
    const faulty = await FaultySession.of(server, keyspace);
    const told = async (): Promise<number | undefined> => (await store.positions()).sources.get(source);
    const make = async (): Promise<void> => {
      for (const record of [...kept, ...kept].reverse()) await store.repair(record);
      made = kept.length;
    };
    try {
      const layout = layoutOf(model, keyspace);
      const repairs = {
        put: async (record: Uint8Array): Promise<void> => void kept.push(record),
        isEmpty: async (): Promise<boolean> => made === kept.length,
      };
      const removals = new Removals(faulty, layout);
      const rows = new RowsRead(faulty, layout);
      const counters = new DegreeCounters({ rows, clock, slackMs: 0 });
      const degrees = new DegreeUpkeep({ rows, supernodes: new Supernodes(faulty, layout), counters });
      const open = (): Writer =>
        new Writer({ session: faulty, layout, bounds: faulty.bounds, clock, removals, degrees, repairs });
      const writer = open();
      await writer.applied();

      faulty.refused = /"[eori]_owns"/;
      const owned = Array.from({ length: 20 }, (_, i) => upsertEdge("owns", `p${i % 3}`, `t${i}`, baseMs + i));
      await writer.apply(frameOf(0, owned, { model }));
      expect(kept.length).toBeGreaterThan(0);
      expect((await shownBy(store, model)).size).toBe(0);
      // Later writes overtake what waits.
      faulty.refused = undefined;
      const later = [
        upsertEdge("owns", "p0", "t0", baseMs + 50),
        remove({ kind: "edge", type: "owns", from: "p1", to: "t1" }, baseMs + 50),
      ];
      await writer.apply(frameOf(1, later, { model }));
      expect(await writer.settle()).toBe(false);
      expect(await told()).toBe(undefined);
      await make();
      expect(await writer.settle()).toBe(true);
      expect(await told()).toBe(1);
      expect(await shownBy(store, model)).toEqual(meantBy([...owned, ...later], baseMs, model));
      expect(await differencesOf(store)).toEqual([]);
      await expect(store.repair(Buffer.from("{}"))).rejects.toMatchObject({ kind: "corrupt" });

      // Counters go on from what the writer remembers; another writer waits until all of them are stored.
      const counted = [2, 3, 4, 5].map((n) =>
        frameOf(n, [upsertEdge("knows", "a", "b", baseMs + n, { times: 1 })], { model }),
      );
      faulty.refused = /"[eori]_knows"/;
      await writer.apply(counted[0]!);
      faulty.refused = undefined;
      await writer.apply(counted[1]!);
      faulty.refused = /"[eori]_knows"/;
      await writer.apply(counted[2]!);
      expect(await told()).toBe(1);
      faulty.refused = undefined;
      const next = open();
      expect((await next.applied()).sources.get(source)).toBe(4);
      await expect(next.apply(counted[3]!)).rejects.toMatchObject({ code: "repairs_waiting" });
      await make();
      await next.apply(counted[3]!);
      for (const frame of counted) await writer.apply(frame);
      const edge = await store.reader().edge({ edge: 0, from: "a", to: "b", select: [2] }, signal);
      expect(edge?.properties).toEqual([4]);
      expect(await told()).toBe(5);

      // Where the cluster takes nothing at all, the frame waits.
      faulty.refused = /./;
      const before = kept.length;
      await expect(writer.apply(frameOf(6, owned, { model }))).rejects.toMatchObject({ kind: "unavailable" });
      expect(kept.length).toBe(before);
    } finally {
      await Promise.all([store.close(), faulty.close()]);
    }
  });
});

/** A session that does not take writes to some tables. */
class FaultySession extends Session {
  refused: RegExp | undefined;
  readonly bounds: CassandraBounds = { ...cassandraDefaults, batchStatementsMax: 6 };

  static async of(server: CassandraServer, keyspace: string): Promise<FaultySession> {
    const { connection } = optionsOf(server, keyspace, model, systemClock);
    const bounds = cassandraDefaults;
    const session = new FaultySession({
      connection,
      bounds,
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
    });
    await session.connect();
    return session;
  }

  override async write(statements: readonly Statement[], patiently?: boolean): Promise<void> {
    const { refused } = this;
    if (refused !== undefined && statements.some(({ query }) => refused.test(query))) {
      throw new RdgError("unavailable", "cassandra_unavailable", "Not taken.");
    }
    await super.write(statements, patiently);
  }
}

/** Repeats what is refused for now, as a feeder does. */
async function patiently(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof RdgError) || error.kind !== "unavailable") throw error;
      await systemTimers.sleep(200);
    }
  }
}
