// The generator of the streaming example: the same events for the same seed, in the proportions that it promises, as lines and as objects.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Chance, zipf } from "../../examples/streaming/chance.ts";
import { catalogueRows, type GeneratorOptions, PlaybackGenerator } from "../../examples/streaming/generator.ts";
import { lineBytesMax } from "../../examples/streaming/line-writer.ts";
import type { PlaybackEvent } from "../../examples/streaming/playback-event.ts";

const startMs = Date.UTC(2026, 0, 1);

function linesOf(options: GeneratorOptions, events: number, batch = 500): string {
  const generator = new PlaybackGenerator(options);
  const buffer = Buffer.alloc(batch * lineBytesMax);
  let text = "";
  for (let left = events; left > 0; left -= batch) {
    text += buffer.toString("utf8", 0, generator.write(buffer, 0, Math.min(batch, left)));
  }
  return text;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("the same for the same seed", () => {
  test("the bytes are these ones, today and on every machine", () => {
    expect(sha256(linesOf({ seed: 1, startMs }, 100_000))).toMatchInlineSnapshot(
      `"8c0c4aca7e6778fb4dcc5cda1c828b3597e2b05d04dfba736994a5f9cb8bc2b6"`,
    );
    const rows = [...catalogueRows(1000)].map((row) => JSON.stringify(row)).join("\n");
    expect(sha256(rows)).toMatchInlineSnapshot(`"f5eb3ba6054753a6c18abf368ae63080a95bb0648f0f11771d40e4fb71ed162a"`);
  });

  test("another seed, other events; the size of the batches changes nothing", () => {
    expect(linesOf({ seed: 2 }, 1000)).not.toBe(linesOf({ seed: 1 }, 1000));
    expect(linesOf({ seed: 2 ** 40 + 1 }, 1000)).not.toBe(linesOf({ seed: 1 }, 1000));
    expect(linesOf({ seed: 7 }, 1000, 1)).toBe(linesOf({ seed: 7 }, 1000, 1000));
  });

  test("lines and objects are the same events", () => {
    const anyOptions = fc.record({
      seed: fc.nat(),
      accounts: fc.constantFrom(1, 2, 1000, 100_000),
      titles: fc.integer({ min: 1, max: 2000 }),
      // Around midnights, leap days and the epoch.
      startMs: fc.oneof(fc.constantFrom(0, startMs, Date.UTC(2024, 1, 29)), fc.integer({ min: 0, max: 4e12 })),
      intervalMs: fc.constantFrom(0.1, 1, 7777.7),
      late: fc.constantFrom(0, 0.05, 1),
      duplicated: fc.constantFrom(0, 0.5),
      closingEvery: fc.constantFrom(0, 3),
    });
    fc.assert(
      fc.property(anyOptions, (options) => {
        const generator = new PlaybackGenerator(options);
        const written = linesOf(options, 200).trimEnd().split("\n");
        expect(written.every((line) => Buffer.byteLength(line) < lineBytesMax)).toBe(true);
        expect(written.map((line) => JSON.parse(line) as unknown)).toEqual(written.map(() => generator.event()));
      }),
      { numRuns: 40 },
    );
  });
});

describe("proportions", () => {
  const events = 200_000;
  const generator = new PlaybackGenerator({ seed: 3, startMs });
  const all: PlaybackEvent[] = Array.from({ length: events }, () => generator.event());
  const closings = generator.takeClosings();
  const share = (condition: (event: PlaybackEvent, index: number) => boolean): number =>
    all.filter(condition).length / events;

  test("about 198 bytes a line", () => {
    expect(Math.abs(linesOf({ seed: 3 }, 50_000).length / 50_000 - 198)).toBeLessThan(2.5);
  });

  test("5 % come late, by up to 10 minutes; none comes early", () => {
    const lateBy = (event: PlaybackEvent, index: number): number => startMs + index * 0.1 - Date.parse(event.at);
    expect(share((event, index) => lateBy(event, index) > 2100)).toBeCloseTo(0.05, 2);
    const latest = all.reduce((most, event, index) => Math.max(most, lateBy(event, index)), 0);
    expect(latest).toBeGreaterThan(590_000);
    expect(latest).toBeLessThanOrEqual(600_100);
    expect(all.every((event, index) => lateBy(event, index) >= 0)).toBe(true);
    expect(share((event, index) => index > 0 && event.at < all[index - 1]!.at)).toBeGreaterThan(0.3);
  });

  test("a few come twice, close to each other", () => {
    const seen = new Map<string, number>();
    const distances: number[] = [];
    for (const [index, event] of all.entries()) {
      const text = JSON.stringify(event);
      const before = seen.get(text);
      if (before !== undefined) distances.push(index - before);
      seen.set(text, index);
    }
    expect(distances.length / events).toBeCloseTo(0.005, 3);
    expect(Math.max(...distances)).toBeLessThan(256);
  });

  test("sessions start, go on and stop; some events have no title or no country", () => {
    expect(share(({ action }) => action === "start")).toBeGreaterThan(0.3);
    expect(share(({ action }) => action === "progress")).toBeGreaterThan(0.2);
    expect(share(({ action }) => action === "stop")).toBeGreaterThan(0.1);
    expect(share(({ titleId }) => titleId === undefined)).toBeCloseTo(1 / 64, 2);
    expect(share(({ country }) => country === undefined)).toBeCloseTo(0.04, 2);
  });

  test("titles follow Zipf's law: the first is watched about twice as often as the second", () => {
    const plays = new Map<string, number>();
    for (const { titleId } of all) if (titleId !== undefined) plays.set(titleId, (plays.get(titleId) ?? 0) + 1);
    const first = plays.get("title-000000")!;
    expect(first / plays.get("title-000001")!).toBeCloseTo(2, 0);
    expect(first / plays.get("title-000009")!).toBeGreaterThan(7);
    expect(plays.size).toBeGreaterThan(8000);
  });

  test("accounts are closed now and then, and have no event after that", () => {
    expect(closings.length).toBe(events / 20_000);
    const closedAt = new Map(closings.map(({ accountId, at }) => [accountId, at]));
    expect(all.filter(({ accountId, at }) => at >= (closedAt.get(accountId) ?? "9"))).toEqual([]);
    expect(generator.takeClosings()).toEqual([]);
  });
});

test("Zipf's law holds for each rank", () => {
  const draw = zipf(10);
  const chance = new Chance(5);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[draw(chance)]!++;
  const total = counts.reduce((sum, _, rank) => sum + 1 / (rank + 1), 0);
  for (const [rank, count] of counts.entries()) expect(count / 100_000).toBeCloseTo(1 / (rank + 1) / total, 2);
});

test("the catalogue has a row for each title but one in a hundred", () => {
  const rows = [...catalogueRows(1000)];
  expect(rows).toHaveLength(990);
  expect(new Set(rows.map(({ titleId }) => titleId)).size).toBe(990);
  expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(["film", "episode", "game"]));
});

test("the command writes the same lines, and says what is wrong with its options", async () => {
  const generate = (...args: string[]) =>
    promisify(execFile)(process.execPath, ["examples/streaming/generate.ts", ...args], {
      cwd: `${import.meta.dirname}/../..`,
    });
  const { stdout } = await generate("--events", "1200", "--seed", "9", "--start", "2026-01-01T00:00:00Z");
  expect(stdout).toBe(linesOf({ seed: 9, startMs }, 1200));
  await expect(generate("--events", "none")).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--events none is not a whole number from 1") as string,
  });
  expect((await generate("--event", "catalogue", "--titles", "3")).stdout.split("\n")).toHaveLength(4);
});
