// Definitions as a whole: golden models, declarations and their defaults, order of types, settings, names, Standard Schema.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import streaming, { fromAccountClosed, fromPlayback, playback, watched } from "../../../examples/streaming/graph.ts";
import { at, order, thing, emitOf, brief } from "../../../test/definition/every-field.ts";
import type { GraphModel } from "../definition.ts";
import { canonicalJson } from "../fingerprint.ts";
import { edge, node } from "./element.ts";
import { event, sideInput } from "./event.ts";
import { t } from "./field.ts";
import { defineGraph, type GraphOptions, isGraph, loadGraph } from "./graph.ts";
import { job } from "./job.ts";

const golden = new URL("../../../test/golden/definition/streaming.json", import.meta.url);

test("the streaming example yields its golden model and fingerprint", async () => {
  expect(streaming.model).toEqual(JSON.parse(await readFile(golden, "utf8")));
  expect(streaming.fingerprint).toBe("5b0f115b941788a625c4d35cd314703277a11925edcbcd649396bec239ce6014");
  expect(streaming.maps.size).toBe(0);
});

test("a model is plain data, frozen to its leaves, the same for the same definition", () => {
  expect(JSON.parse(JSON.stringify(streaming.model))).toEqual(streaming.model);
  const frozen = (value: unknown): boolean =>
    typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(frozen(streaming.model)).toBe(true);
  const again = defineGraph("streaming", { jobs: [fromPlayback, fromAccountClosed] });
  expect(again.fingerprint).toBe(streaming.fingerprint);
  expect(defineGraph("other", { jobs: [fromPlayback, fromAccountClosed] }).fingerprint).not.toBe(streaming.fingerprint);
  expect(canonicalJson({ b: 1, a: [true, null, "x"], c: undefined })).toBe('{"a":[true,null,"x"],"b":1}');
});

test("declarations carry their models and defaults", () => {
  expect(playback.model).toMatchObject({ key: "accountId", time: "at", partitions: 1, dedupHorizonMs: 3_600_000 });
  expect(watched.model).toEqual({
    name: "watched",
    from: "profile",
    to: "title",
    ttlMs: 8_640_000_000,
    properties: [
      { name: "positionMs", type: { kind: "int64" }, merge: "last" },
      { name: "furthestMs", type: { kind: "int64" }, merge: "max" },
      { name: "plays", type: { kind: "int64" }, merge: "sum" },
    ],
  });
});

test("types are listed in order of first mention, ends behind their edges", () => {
  const [a, b, c, d] = [node("a"), node("b"), node("c"), node("d")];
  const [ab, cd] = [edge("ab", a, b), edge("cd", c, d)];
  const { model } = defineGraph("g", {
    jobs: [job(order).emit((e) => [b.upsert(e.id), ab.upsert(e.id, e.id)])],
    nodes: [d],
    edges: [cd],
  });
  expect(model.nodes.map(({ name }) => name)).toEqual(["b", "a", "d", "c"]);
  expect(model.edges.map(({ name }) => name)).toEqual(["ab", "cd"]);
});

test("settings of jobs and times of graphs", () => {
  const settings = { window: "250ms", windowKeys: 10, windowBytes: 4096, parallelism: 3 } as const;
  expect(job(order, settings).emit(() => []).model.settings).toEqual({
    windowMs: 250,
    windowKeysMax: 10,
    windowBytesMax: 4096,
    parallelism: 3,
  });
  const kept = event("kept", {
    key: "id",
    time: "at",
    retention: { time: "30d", bytes: 5 },
    fields: { id: t.string(), at },
  });
  const keep = job(kept).emit(() => []);
  const times = ({ model }: { model: GraphModel }): number[] => [
    model.skewMaxMs,
    model.latenessMs,
    model.tombstoneGraceMs,
  ];
  expect(times(defineGraph("g", { jobs: [keep] }))).toEqual([300_000, 86_400_000, 32 * 86_400_000]);
  const given = { skewMax: "1m", lateness: "2m", tombstoneGrace: "31d" } as const;
  expect(times(defineGraph("g", { jobs: [keep], ...given }))).toEqual([60_000, 120_000, 31 * 86_400_000]);
});

test("fields may have any name", () => {
  const names = [
    "then",
    "constructor",
    "__proto__",
    "toString",
    "isPresent",
    "equals",
    "hasOwnProperty",
    "toJSON",
  ] as const;
  const strings = Object.fromEntries(names.map((name) => [name, t.string()])) as Record<
    (typeof names)[number],
    ReturnType<typeof t.string>
  >;
  const odd = event("odd", {
    key: "then",
    time: "at",
    fields: { ...strings, ["__proto__"]: t.string(), at, inner: t.record({ ...strings, ["__proto__"]: t.string() }) },
  });
  const oddNode = node("odd", { ...strings, ["__proto__"]: t.string() });
  expect(odd.model.fields.map(({ name }) => name).toSorted()).toEqual([...names, "at", "inner"].toSorted());
  const [emit] = emitOf(
    job(odd).emit((e) => [
      oddNode.upsert(e.constructor, Object.fromEntries(names.map((name) => [name, e.inner[name]])) as never),
    ]),
  );
  expect(
    emit?.kind === "upsertNode" &&
      [brief(emit.id), ...emit.properties.map(({ property, value }) => `${property}=${brief(value)}`)].toSorted(),
  ).toEqual(["constructor", ...names.map((name) => `${name}=inner.${name}`)].toSorted());
});

test("defaults of traversals are kept as they are given; a definition without them says nothing", () => {
  const traversals = (given?: GraphOptions["traversals"]): unknown =>
    defineGraph("g", { jobs: [], ...(given && { traversals: given }) }).model.traversals;
  expect(traversals()).toBe(undefined);
  expect(traversals({})).toBe(undefined);
  expect(traversals({ since: "ever" })).toEqual({ sinceMs: "ever" });
  expect(traversals({ since: "2d", limit: 5, order: "any" })).toEqual({ sinceMs: 172_800_000, limit: 5, order: "any" });
});

test("declarations are Standard Schemas", () => {
  const standard = order["~standard"];
  expect([standard.version, standard.vendor]).toEqual([1, "rdg"]);
  const { fields } = event("e", {
    key: "id",
    time: "at",
    fields: { id: t.string(), at, n: t.int64(), o: t.string().optional() },
  });
  const small = event("e", { key: "id", time: "at", fields });
  const good = small["~standard"].validate({ id: "x", at: "2026-01-01T00:00:00Z", n: "5", o: null });
  expect(good).toEqual({ value: { id: "x", at: new Date("2026-01-01T00:00:00Z"), n: 5n } });
  const bad = small["~standard"].validate({ id: "", at: 0, n: 1.5 });
  expect(bad.issues).toMatchObject([{ path: ["id"] }, { path: ["n"] }]);
  expect(thing["~standard"].validate({ tags: ["a"], n: 5 })).toEqual({ value: { tags: ["a"], n: 5n } });
  expect(sideInput("s", { key: "k", fields: { k: t.string() } })["~standard"].validate({}).issues).toHaveLength(1);
});

test("graphs are recognised in modules", () => {
  expect(isGraph(streaming)).toBe(true);
  expect([null, {}, "x", streaming.model].map(isGraph)).toEqual([false, false, false, false]);
  expect(loadGraph(streaming)).toBe(streaming);
  expect(loadGraph({ default: streaming, other: defineGraph("x", { jobs: [] }) })).toBe(streaming);
  expect(loadGraph({ graph: streaming, playback })).toBe(streaming);
  expect(() => loadGraph({ playback })).toThrow(expect.objectContaining({ code: "no_graph" }));
  expect(() => loadGraph(undefined)).toThrow(expect.objectContaining({ code: "no_graph" }));
  const two = { a: streaming, b: defineGraph("x", { jobs: [] }) };
  expect(() => loadGraph(two)).toThrow(expect.objectContaining({ code: "many_graphs" }));
});
