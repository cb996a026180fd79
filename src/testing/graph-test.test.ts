import { describe, expect, test } from "vitest";
import streaming, {
  account,
  accountClosed,
  catalogue,
  device,
  playback,
  title,
  watched,
} from "../../examples/streaming/graph.ts";
import { GraphTest } from "./index.ts";

const at = new Date("2026-01-01T10:00:00Z");
const start = {
  accountId: "a1",
  profileId: "p1",
  deviceId: "tv",
  titleId: "t9",
  action: "start",
  positionMs: 5n,
  country: "NL",
  at,
} as const;

function streamingTest(): GraphTest {
  return new GraphTest(streaming, { now: new Date(at.getTime() + 1000) });
}

describe("a definition in a user's test", () => {
  test("events become the elements that the jobs emit", () => {
    const graph = streamingTest();
    expect(graph.produce(playback, start)).toBe("mapped");
    expect(graph.produce(playback, { ...start, action: "stop", positionMs: 3n })).toBe("mapped");
    expect(graph.nodes(device)).toMatchObject([{ id: "tv", properties: { countries: ["NL"] } }]);
    expect(graph.edges(watched)).toEqual([
      { from: "p1", to: "t9", firstSeen: at, lastSeen: at, properties: { positionMs: 5, furthestMs: 5, plays: 1 } },
    ]);
  });

  test("filtered, future and removed show as what they are", () => {
    const graph = streamingTest();
    const { titleId: _, ...browsing } = start;
    expect(graph.produce(playback, browsing)).toBe("filtered");
    expect(graph.produce(playback, { ...start, at: new Date("2027-01-01") })).toBe("time_in_future");
    graph.produce(playback, start);
    graph.produce(accountClosed, { accountId: "a1", at });
    expect(graph.nodes(account)).toEqual([]);
  });

  test("side-input rows are seen by the events after them, and ttl passes with time", () => {
    const graph = streamingTest();
    graph.put(catalogue, { titleId: "t9", name: "Nine", kind: "film" });
    graph.produce(playback, start);
    expect(graph.nodes(title)).toMatchObject([{ properties: { name: "Nine", kind: "film" } }]);
    graph.advance(101 * 86_400_000);
    expect(graph.edges(watched)).toEqual([]);
  });

  test("an invalid event is refused with the field", () => {
    expect(() => streamingTest().produce(playback, { ...start, accountId: 7 as never })).toThrow("playback");
  });
});
