// Answers at a terminal.
import { expect, test } from "vitest";
import { type RenderedAnswer, renderTable, renderTree } from "./render.ts";

const times = { firstSeen: "2026-11-20T08:00:00.000Z", lastSeen: "2026-11-21T08:00:00.123Z" };
const edge = (type: string, from: string, to: string, properties = {}) => ({ type, from, to, ...times, properties });
const node = (type: string, id: string, properties = {}) => ({ type, id, ...times, properties });

const answer: RenderedAnswer = {
  levels: [
    { nodes: [node("account", "a1", { firstCountry: "DE" })] },
    {
      nodes: [node("profile", "p1"), { type: "profile", id: "p\u001b[2J2" }],
      edges: [edge("has_profile", "a1", "p1"), edge("has_profile", "a1", "p\u001b[2J2")],
    },
    {
      nodes: [node("title", "t9", { name: "Heat" })],
      edges: [edge("watched", "p1", "t9", { plays: "3" }), edge("watched", "p\u001b[2J2", "t9")],
    },
  ],
  hops: [{ complete: true }, { complete: false, truncated: { cause: "limit", nodes: 1 } }],
  complete: false,
};

test("a tree shows what was reached from where", () => {
  expect(renderTree(answer).split("\n")).toEqual([
    "account a1 {firstCountry: DE}",
    "├─ has_profile → profile p1 2026-11-21 08:00:00",
    "│  └─ watched → title t9 {name: Heat} {plays: 3} 2026-11-21 08:00:00",
    '└─ has_profile → profile "p\\u001b[2J2" 2026-11-21 08:00:00',
    "   └─ watched → title t9 {name: Heat} 2026-11-21 08:00:00",
    "Hop 2 is not complete: cut by limit at 1 node.",
  ]);
});

test("a tree tells types with the same ids apart, and where a repeated hop was left", () => {
  const mixed: RenderedAnswer = {
    levels: [
      { nodes: [node("person", "x")] },
      {
        nodes: [node("person", "y"), node("device", "x")],
        edges: [edge("knows", "x", "y"), edge("uses", "x", "x")],
      },
      { nodes: [node("person", "x"), node("person", "z")], edges: [edge("knows", "y", "x"), edge("knows", "y", "z")] },
      { nodes: [node("city", "x")], edges: [edge("lives_in", "y", "x"), edge("lives_in", "x", "x")] },
    ],
    hops: [
      { hop: 0, repetition: 1, complete: true },
      { hop: 0, repetition: 2, complete: false, truncated: { cause: "limit", nodes: 2 } },
      { hop: 1, complete: true },
    ],
    complete: false,
  };
  const time = "2026-11-21 08:00:00";
  expect(renderTree(mixed).split("\n")).toEqual([
    "person x",
    `├─ knows → person y ${time}`,
    `│  ├─ knows → person x ${time}`,
    `│  │  └─ lives_in → city x ${time}`,
    `│  ├─ knows → person z ${time}`,
    `│  └─ lives_in → city x ${time}`,
    `└─ uses → device x ${time}`,
    "Hop 1.2 is not complete: cut by limit at 2 nodes.",
  ]);
  expect(renderTable(mixed).split("\n")[3]).toMatch(/^1\.2 +knows +y +x/);
});

test("a table has a row per edge, or per node without hops", () => {
  const lines = renderTable(answer).split("\n");
  expect(lines[0]).toMatch(/^hop +edge +from +to +last seen +properties$/);
  expect(lines).toHaveLength(6);
  expect(lines[3]).toMatch(/^2 +watched +p1 +t9 +2026-11-21 08:00:00 +plays: 3$/);
  expect(renderTable({ levels: answer.levels.slice(0, 1), hops: [], complete: true }).split("\n")[1]).toMatch(
    /^account +a1 /,
  );
});

test("colour comes only when asked for, and never from data", () => {
  expect(renderTree(answer)).not.toContain("\u001b");
  expect(renderTable(answer)).not.toContain("\u001b");
  expect(renderTree(answer, { color: true })).toContain("\u001b[1ma1\u001b[22m");
  expect(renderTree({ levels: [{ nodes: [] }], hops: [], complete: true })).toBe("Nothing was found.");
});
