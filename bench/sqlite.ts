// The same events and questions through SQLite, as a careful user would set it up: one process without HTTP, WAL, synchronous FULL, a transaction per
// window, prepared upserts, a table per type with an index per direction. What it leaves out (validation, Avro, counters of losses) is in its favour.
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { generatorDefaults } from "../examples/streaming/generator.ts";
import type { PlaybackEvent } from "../examples/streaming/playback-event.ts";
import { accountId, titleId } from "../examples/streaming/playback-event.ts";
import { percentile } from "./percentile.ts";

export interface SqliteFigures {
  readonly events: number;
  readonly eventsPerSecond: number;
  readonly cpuUsPerEvent: number;
  readonly bytesPerEvent: number;
  readonly traversalsMs: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const schema = `
  PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -1000000; PRAGMA mmap_size = 8000000000;
  PRAGMA wal_autocheckpoint = 20000; PRAGMA temp_store = MEMORY;
  CREATE TABLE event (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
  CREATE TABLE account (id TEXT PRIMARY KEY, first INT, last INT, country TEXT, countryAt INT) WITHOUT ROWID;
  CREATE TABLE device (id TEXT PRIMARY KEY, first INT, last INT) WITHOUT ROWID;
  CREATE TABLE deviceCountry (id TEXT, country TEXT, PRIMARY KEY (id, country)) WITHOUT ROWID;
  CREATE TABLE title (id TEXT PRIMARY KEY, first INT, last INT) WITHOUT ROWID;
  CREATE TABLE hasProfile (a TEXT, b TEXT, first INT, last INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
  CREATE INDEX hasProfileIn ON hasProfile (b, last DESC);
  CREATE TABLE uses (a TEXT, b TEXT, first INT, last INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
  CREATE INDEX usesOut ON uses (a, last DESC); CREATE INDEX usesIn ON uses (b, last DESC);
  CREATE TABLE watched (a TEXT, b TEXT, first INT, last INT, position INT, furthest INT, plays INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
  CREATE INDEX watchedOut ON watched (a, last DESC); CREATE INDEX watchedIn ON watched (b, last DESC);`;

const seen = "first = min(first, excluded.first), last = max(last, excluded.last)";
const statements = {
  event: "INSERT INTO event (body) VALUES (?)",
  account: `INSERT INTO account VALUES (?1, ?2, ?2, ?3, ?2) ON CONFLICT DO UPDATE SET ${seen},
    country = CASE WHEN excluded.countryAt < countryAt THEN excluded.country ELSE country END, countryAt = min(countryAt, excluded.countryAt)`,
  device: `INSERT INTO device VALUES (?1, ?2, ?2) ON CONFLICT DO UPDATE SET ${seen}`,
  deviceCountry: "INSERT OR IGNORE INTO deviceCountry VALUES (?, ?)",
  title: `INSERT INTO title VALUES (?1, ?2, ?2) ON CONFLICT DO UPDATE SET ${seen}`,
  hasProfile: `INSERT INTO hasProfile VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO UPDATE SET ${seen}`,
  uses: `INSERT INTO uses VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO UPDATE SET ${seen}`,
  watched: `INSERT INTO watched VALUES (?1, ?2, ?3, ?3, ?4, ?4, ?5) ON CONFLICT DO UPDATE SET
    position = CASE WHEN excluded.last > last THEN excluded.position ELSE position END,
    furthest = max(furthest, excluded.furthest), plays = plays + excluded.plays, ${seen}`,
} as const;

export async function measureSqlite(bodies: readonly Uint8Array[], eventsPerBody: number): Promise<SqliteFigures> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-sqlite-"));
  const path = join(folder, "graph.db");
  const database = new DatabaseSync(path);
  try {
    database.exec(schema);
    const before = process.cpuUsage();
    const startedMs = performance.now();
    load(database, bodies);
    const seconds = (performance.now() - startedMs) / 1000;
    const { user, system } = process.cpuUsage(before);
    const events = bodies.length * eventsPerBody;
    const traversalsMs = traverse(database);
    const size = (await stat(path)).size + (await stat(`${path}-wal`)).size;
    return {
      events,
      eventsPerSecond: Math.round(events / seconds),
      cpuUsPerEvent: Number(((user + system) / events).toFixed(2)),
      bytesPerEvent: Math.round(size / events),
      traversalsMs,
    };
  } finally {
    database.close();
    await rm(folder, { recursive: true, force: true });
  }
}

type Prepared = Record<keyof typeof statements, StatementSync>;

/** Ten bodies, as many events as a window of the job holds, to a transaction. */
function load(database: DatabaseSync, bodies: readonly Uint8Array[]): void {
  const prepared = Object.fromEntries(
    Object.entries(statements).map(([name, text]) => [name, database.prepare(text)]),
  ) as unknown as Prepared;
  for (let i = 0; i < bodies.length; i += 10) {
    database.exec("BEGIN");
    for (const body of bodies.slice(i, i + 10)) {
      for (const line of Buffer.from(body).toString("utf8").split("\n")) if (line !== "") insert(prepared, line);
    }
    database.exec("COMMIT");
  }
}

function insert(prepared: Prepared, line: string): void {
  prepared.event.run(line);
  const event = JSON.parse(line) as PlaybackEvent;
  if (event.titleId === undefined) return;
  const timeMs = Date.parse(event.at);
  prepared.account.run(event.accountId, timeMs, event.country ?? null);
  prepared.device.run(event.deviceId, timeMs);
  if (event.country !== undefined) prepared.deviceCountry.run(event.deviceId, event.country);
  prepared.title.run(event.titleId, timeMs);
  prepared.hasProfile.run(event.accountId, event.profileId, timeMs);
  prepared.uses.run(event.accountId, event.deviceId, timeMs);
  const plays = event.action === "start" ? 1 : 0;
  prepared.watched.run(event.profileId, event.titleId, timeMs, event.positionMs, plays);
}

/** The questions of end-to-end.ts, answered as JSON text. */
function traverse(database: DatabaseSync): SqliteFigures["traversalsMs"] {
  const since = Date.now() - 100 * 86_400_000;
  const oneHop = database.prepare(
    "SELECT b, first, last FROM uses WHERE a = ? AND last > ? ORDER BY last DESC LIMIT 100",
  );
  const profiles = database.prepare("SELECT b, first, last FROM hasProfile WHERE a = ? ORDER BY last DESC LIMIT 50");
  const titles = database.prepare("SELECT * FROM watched WHERE a = ? AND last > ? ORDER BY last DESC LIMIT 50");
  const viewers = database.prepare("SELECT * FROM watched WHERE b = ? AND last > ? ORDER BY last DESC LIMIT 50");
  const title = database.prepare("SELECT * FROM title WHERE id = ?");
  const ofProfiles = (ids: readonly string[]): unknown[] => {
    const edges = ids.flatMap((id) => titles.all(id, since) as { b: string }[]);
    return [...edges, ...new Set(edges.map(({ b }) => b))].map((each) =>
      typeof each === "string" ? title.get(each) : each,
    );
  };
  const { accounts } = generatorDefaults;
  return {
    oneHop: timed((i) => oneHop.all(accountId(i % accounts), since)),
    twoHops: timed((i) => ofProfiles((profiles.all(accountId(i % accounts)) as { b: string }[]).map(({ b }) => b))),
    wideTwoHops: timed((i) => ofProfiles((viewers.all(titleId(i % 50), since) as { a: string }[]).map(({ a }) => a))),
  };
}

function timed(ask: (i: number) => unknown): Record<string, number> {
  const milliseconds: number[] = [];
  for (let i = 0; i < 1500; i++) {
    const startedMs = performance.now();
    JSON.stringify(ask(i * 7919));
    if (i >= 500) milliseconds.push(performance.now() - startedMs);
  }
  const sorted = Float64Array.from(milliseconds).toSorted();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}
