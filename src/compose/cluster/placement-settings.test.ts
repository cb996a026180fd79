// What settings may say of stores and of the types on them: what a store inherits, what is refused before anything is opened.
import { describe, expect, test } from "vitest";
import { resolveSettings } from "../../core/settings.ts";
import type { Graph } from "../../index.ts";
import { conformanceGraph } from "../../store/conformance-graph.ts";
import { partsOf } from "../../store/placed/placement.ts";
import { readPlacement, readStores, withPlacement } from "./placement-settings.ts";
import { type ClusterSettings, clusterSettings } from "./settings.ts";

const path = "rdg.config.ts";
const main: ClusterSettings = resolveSettings(clusterSettings, {
  flags: { "cassandra.contacts": "db-1:9042", "cassandra.username": "rdg", "cassandra.keyspace": "shop" },
}).values;
const read = (written: unknown, environment = {}, settings = main) => readStores(written, settings, environment, path);
const graph: Graph = {
  kind: "graph",
  name: "g",
  model: conformanceGraph,
  fingerprint: "f",
  maps: new Map(),
  enrichments: new Map(),
};

describe("stores beside the main one", () => {
  test("say what is their own, and have the rest from the main one's settings", () => {
    const stores = read(
      { history: { keyspace: "history" }, far: { contacts: "other:9042" } },
      { RDG_STORES_FAR_PASSWORD: "x" },
    );
    expect(stores.get("history")).toMatchObject({
      "store.kind": "cassandra",
      "cassandra.contacts": "db-1:9042",
      "cassandra.username": "rdg",
      "cassandra.keyspace": "history",
      "cassandra.password": "",
    });
    expect(stores.get("far")).toMatchObject({ "cassandra.contacts": "other:9042", "cassandra.password": "x" });
  });

  test.each([
    [{ main: { keyspace: "x" } }, "cannot be named so"],
    [{ History: { keyspace: "x" } }, "cannot be named so"],
    [{ a: { keyspace: "x" }, b: { keyspace: "x" } }, 'is keyspace "x", as the store "a" is'],
    [{ a: { kind: "embedded" } }, 'is the embedded store, as the store "main" is'],
    [{ a: { keyspaces: "x" } }, 'There is no setting "keyspaces"'],
    [{ a: { kind: "redis", keyspace: "x" } }, 'is "redis", not embedded or cassandra'],
    [{ a: 1 }, "is not { kind"],
    [[], "are not stores by name"],
  ])("%j are refused", (written, message) => {
    expect(() => read(written)).toThrow(message);
  });

  test("a store may not be where the main one is", () => {
    const shared = { ...main, "store.kind": "cassandra" };
    expect(() => read({ history: { keyspace: "shop" } }, {}, shared)).toThrow('as the store "main" is');
    expect(read({ memory: { kind: "embedded" } }, {}, shared).get("memory")).toMatchObject({
      "store.kind": "embedded",
    });
  });
});

describe("placement", () => {
  const stores = read({ history: { keyspace: "history" } });

  test("names a type and a store; every other type is on the main one", () => {
    const placement = readPlacement(
      { "edges.owns": "history", "nodes.thing": "history", "nodes.person": "main" },
      stores,
      path,
    );
    const { model } = withPlacement(graph, placement);
    const parts = partsOf(model).map(({ name, homes, edges }) => ({ name, homes, edges }));
    expect(parts).toEqual([
      { name: "main", homes: [true, false, true], edges: [0, -1, 1] },
      { name: "history", homes: [false, true, false], edges: [-1, 0, -1] },
    ]);
    expect(partsOf(withPlacement(graph, new Map()).model)).toHaveLength(1);
  });

  test("of a store or a type that there is not is refused", () => {
    expect(() => readPlacement({ "edges.owns": "histroy" }, stores, path)).toThrow("which is no store of the settings");
    expect(() => withPlacement(graph, new Map([["edges.own", "history"]]))).toThrow(
      "which the definition does not have",
    );
  });
});
