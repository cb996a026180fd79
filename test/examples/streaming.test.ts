// The streaming example from its generator's command to answers: the graph is what a naive reading of the same events says, late and repeated ones included.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { RdgConnection } from "../../examples/send.ts";
import { catalogueRows, PlaybackGenerator } from "../../examples/streaming/generator.ts";
import graph from "../../examples/streaming/graph.ts";
import { accountId, type PlaybackEvent } from "../../examples/streaming/playback-event.ts";
import { embeddedSettings, type EmbeddedSettings, startEmbedded } from "../../src/compose.ts";

const [seed, accounts, titles, events] = [5, 300, 60, 25_000];
/** Recent, for edges of long ago have expired. */
const startText = new Date(Date.now() - 3_600_000).toISOString();

interface Watched {
  firstSeen: string;
  lastSeen: string;
  positionMs: number;
  furthestMs: number;
  plays: number;
}

/** What the graph should say, by keeping every event. */
class Truth {
  readonly watched = new Map<string, Watched>();
  readonly profiles = new Set<string>();
  readonly devices = new Map<string, Set<string>>();
  readonly uses = new Set<string>();
  readonly firstCountry = new Map<string, { at: string; country: string }>();
  readonly closed = new Set<string>();

  add(event: PlaybackEvent): void {
    const { accountId, profileId, deviceId, titleId, action, positionMs, country, at } = event;
    if (titleId === undefined) return;
    this.profiles.add(`${accountId} ${profileId}`);
    this.uses.add(`${accountId} ${deviceId}`);
    const countries = this.devices.get(deviceId) ?? new Set();
    this.devices.set(deviceId, country === undefined ? countries : countries.add(country));
    const first = this.firstCountry.get(accountId);
    if (country !== undefined && (first === undefined || `${at} ${country}` < `${first.at} ${first.country}`)) {
      this.firstCountry.set(accountId, { at, country });
    }
    const key = `${profileId} ${titleId}`;
    const before = this.watched.get(key) ?? { firstSeen: at, lastSeen: "", positionMs: 0, furthestMs: 0, plays: 0 };
    const isLast = at > before.lastSeen || (at === before.lastSeen && positionMs > before.positionMs);
    this.watched.set(key, {
      firstSeen: at < before.firstSeen ? at : before.firstSeen,
      lastSeen: at > before.lastSeen ? at : before.lastSeen,
      positionMs: isLast ? positionMs : before.positionMs,
      furthestMs: Math.max(positionMs, before.furthestMs),
      plays: before.plays + (action === "start" ? 1 : 0),
    });
  }
}

interface Level {
  readonly nodes: readonly {
    readonly id: string;
    readonly lastSeen?: string;
    readonly properties?: Record<string, unknown>;
  }[];
  readonly edges?: readonly {
    readonly from: string;
    readonly to: string;
    readonly firstSeen: string;
    readonly lastSeen: string;
    readonly properties: Record<string, unknown>;
  }[];
}

test("what the generator sends is what the graph says", { timeout: 120_000 }, async () => {
  const truth = new Truth();
  const generator = new PlaybackGenerator({ seed, accounts, titles, startMs: Date.parse(startText) });
  for (let i = 0; i < events; i++) truth.add(generator.event());
  for (const { accountId } of generator.takeClosings()) truth.closed.add(accountId);
  expect(truth.closed.size).toBeGreaterThan(0);

  const data = mkdtempSync(join(tmpdir(), "rdg-streaming-"));
  const defaults = Object.fromEntries(
    Object.entries(embeddedSettings).map(([name, { default: value }]) => [name, value]),
  );
  const settings = { ...defaults, data, port: 0, "log.level": "warn" } as EmbeddedSettings;
  const running = await startEmbedded(graph, settings);
  const rdg = new RdgConnection(running.url);
  try {
    const command = `examples/streaming/generate.ts --json --url ${running.url} --seed ${seed} --accounts ${accounts}`;
    const sized = `${command} --titles ${titles} --events ${events} --start ${startText} --batch 700`;
    const { stdout } = await promisify(execFile)(process.execPath, sized.split(" "), {
      cwd: join(import.meta.dirname, "../.."),
    });
    const sent = JSON.parse(stdout) as { playback: number; catalogue: number; positions: string[] };
    expect(sent).toMatchObject({ playback: events, account_closed: truth.closed.size, catalogue: titles });

    const ids = Array.from({ length: accounts }, (_, account) => accountId(account));
    const waitFor = sent.positions.filter((position) => position.startsWith("events."));
    const ask = async (...hops: object[]): Promise<readonly Level[]> => {
      const request = { from: { type: "account", ids }, hops, waitFor, timeoutMs: 10_000 };
      const answer = (await rdg.ask("/v1/traverse", request)) as { levels: Level[]; complete: boolean };
      expect(answer.complete).toBe(true);
      return answer.levels;
    };
    const [starts, profiles, watched] = await ask(
      { edge: "has_profile", limit: 100 },
      { edge: "watched", limit: 1000 },
    );
    const isOpen = (key: string): boolean => !truth.closed.has(key.split(" ")[0]!);
    for (const { id, properties } of starts!.nodes) {
      const country = truth.firstCountry.get(id)?.country;
      expect([id, properties]).toEqual([id, country === undefined ? {} : { firstCountry: country }]);
    }
    expect(new Set(starts!.nodes.map(({ id }) => id))).toEqual(
      new Set([...truth.profiles].filter(isOpen).map((key) => key.split(" ")[0]!)),
    );
    expect(new Set(profiles!.edges!.map(({ from, to }) => `${from} ${to}`))).toEqual(
      new Set([...truth.profiles].filter(isOpen)),
    );
    const reached = new Set(profiles!.nodes.map(({ id }) => id));
    const expected = new Map([...truth.watched].filter(([key]) => reached.has(key.split(" ")[0]!)));
    expect(expected.size).toBeGreaterThan(1000);
    expect(watched!.edges).toHaveLength(expected.size);
    for (const { from, to, firstSeen, lastSeen, properties } of watched!.edges!) {
      const { positionMs, furthestMs, plays } = properties;
      const said = { positionMs: Number(positionMs), furthestMs: Number(furthestMs), plays: Number(plays ?? 0) };
      expect([from, to, { firstSeen, lastSeen, ...said }]).toEqual([from, to, expected.get(`${from} ${to}`)]);
    }
    const rows = new Map([...catalogueRows(titles)].map(({ titleId, name, kind }) => [titleId, { name, kind }]));
    for (const { id, properties } of watched!.nodes) expect([id, properties]).toEqual([id, rows.get(id) ?? {}]);

    const [, devices] = await ask({ edge: "uses", limit: 1000 });
    expect(new Set(devices!.edges!.map(({ from, to }) => `${from} ${to}`))).toEqual(
      new Set([...truth.uses].filter(isOpen)),
    );
    for (const { id, properties } of devices!.nodes) {
      expect([id, new Set(properties!["countries"] as string[])]).toEqual([id, truth.devices.get(id)]);
    }
  } finally {
    rdg.close();
    await running.close();
    rmSync(data, { recursive: true, force: true });
  }
});
