import { describe, expect, test } from "vitest";
import { type AnyNode, count, defineGraph, edge, event, job, node, t } from "../index.ts";
import { alignModel } from "./align.ts";
import type { GraphModel } from "./definition.ts";

const seen = event("seen", { key: "a", time: "at", fields: { a: t.string(), b: t.string(), at: t.timestamp() } });

function modelOf(
  make: () => readonly [first: ReturnType<typeof node>, ...rest: ReturnType<typeof node>[]],
): GraphModel {
  const nodes = make();
  return defineGraph("g", { jobs: [job(seen).emit((e) => nodes.map((each) => each.upsert(e.a)))] }).model;
}

describe("aligning a definition with the stored one", () => {
  test("types and properties keep their indexes, new ones come behind, removed ones stay", () => {
    const stored = modelOf(() => [node("a", { x: t.string(), y: t.counter() }), node("b")]);
    const model = modelOf(() => [node("c"), node("a", { z: t.string(), y: t.counter() })]);
    const aligned = alignModel(stored, model);
    expect(aligned.nodes.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect(aligned.nodes[0]!.properties.map(({ name }) => name)).toEqual(["x", "y", "z"]);
    expect(aligned.jobs).toEqual(model.jobs);
  });

  test("the same definition is left as it is", () => {
    const model = modelOf(() => [node("a", { x: t.string() }), node("b")]);
    expect(alignModel(model, model)).toEqual(model);
  });

  test("a property that would mean something else is refused by name", () => {
    const stored = modelOf(() => [node("a", { x: t.string() })]);
    expect(() =>
      alignModel(
        stored,
        modelOf(() => [node("a", { x: t.int64() })]),
      ),
    ).toThrow("node a.x was");
    expect(() =>
      alignModel(
        stored,
        modelOf(() => [node("a", { x: t.string().merge("first") })]),
      ),
    ).toThrow("node a.x was");
  });

  test("an edge between other types is refused by name", () => {
    const [a, b] = [node("a"), node("b")];
    const graph = (from: AnyNode, to: AnyNode): GraphModel => {
      const link = edge("link", from, to, { properties: { n: t.counter() } });
      return defineGraph("g", { jobs: [job(seen).emit((e) => [link.upsert(e.a, e.b, { n: count(1) })])] }).model;
    };
    expect(() => alignModel(graph(a, b), graph(b, a))).toThrow("edge link led (a)->(b) and now leads (b)->(a)");
  });
});
