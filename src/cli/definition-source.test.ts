// Definitions written as TypeScript: they declare what the server's definition declares, whatever it is called, and nothing of it becomes code but that.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import streaming from "../../examples/streaming/graph.ts";
import * as golden from "../../test/golden/client/streaming.ts";
import { models } from "../../test/query/random-graph.ts";
import * as rdg from "../index.ts";
import type { EventModel, NodeModel } from "../model/definition.ts";
import { canonicalJson } from "../model/fingerprint.ts";
import { type ClientModel, definitionSource } from "./definition-source.ts";

const declaredBy = (module: object): string =>
  canonicalJson(
    Object.values(module as Record<string, { kind: string; name: string; model: object }>)
      .map(({ kind, model }) => ({ kind, model }))
      .toSorted((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1)),
  );
const declaredIn = ({ events, sideInputs, nodes, edges, enrichments }: ClientModel): string => {
  const of = (kind: string, list: readonly object[]): object[] => list.map((model) => ({ kind, model }));
  const all = [
    ...of("event", events),
    ...of("sideInput", sideInputs),
    ...of("node", nodes),
    ...of("edge", edges),
    ...of("enrichment", enrichments),
  ];
  return canonicalJson(all.toSorted((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1)));
};

/** Runs the module with this checkout's `rdg`. */
function evaluate(source: string): object {
  const names = [...source.matchAll(/^export const (\w+)/gm)].map(([, name]) => name);
  const body = source.replace(/^import (\{.*\}) from "rdg";$/m, "const $1 = rdg;").replaceAll(/^export /gm, "");
  return compileFunction(`"use strict";\n${body}\nreturn { ${names.join(", ")} };`, ["rdg"])(rdg) as object;
}

/** As a server tells it. */
const told = ({ model, enrichments }: rdg.Graph): ClientModel => ({
  ...model,
  enrichments: [...enrichments.values()].map(({ model: { name, on, fields } }) => ({ name, on, fields })),
});

const edges: ClientModel["edges"] = [];
const empty: ClientModel = { name: "g", events: [], sideInputs: [], nodes: [], edges, enrichments: [] };

describe("a definition as TypeScript", () => {
  test("of the streaming example is the golden file, which declares the same", async () => {
    const path = fileURLToPath(new URL("../../test/golden/client/streaming.ts", import.meta.url));
    expect(definitionSource(told(streaming), ["The streaming example."])).toBe(await readFile(path, "utf8"));
    expect(declaredBy(golden)).toBe(declaredIn(told(streaming)));
  });

  test("declares every kind of field, property and option", () => {
    const { t } = rdg;
    const order = rdg.event("order", {
      key: "id",
      time: "at",
      id: "requestId",
      dedupHorizon: "90s",
      partitions: 8,
      retention: { time: "36h", bytes: 1e9 },
      fields: {
        id: t.string(),
        requestId: t.string().optional(),
        at: t.timestamp(),
        flags: t.array(t.boolean()).optional(),
        labels: t.map(t.bytes()),
        address: t.record({ city: t.string(), size: t.double().optional(), kind: t.enum("a", "b") }),
      },
    });
    const sku = rdg.node(
      "sku",
      {
        sold: t.counter(),
        total: t.int64().merge("sum"),
        first: t.timestamp().merge("first"),
        least: t.int32().merge("min"),
        most: t.double().merge("max"),
        places: t.set(t.string(), { sizeMax: 16 }),
        days: t.timestamp().merge("union"),
        address: t.record({ city: t.string(), lines: t.array(t.string()) }),
      },
      { ttl: "1500ms" },
    );
    const bare = rdg.node("bare", {}, { ttl: "2d" });
    const near = rdg.edge("near", bare, sku, { ttl: "30m", properties: { metres: t.double() } });
    const stock = rdg.sideInput("stock", {
      key: "sku",
      fields: { sku: t.string(), pieces: t.int32().optional(), ["__proto__"]: t.boolean() },
    });
    const prices = rdg.enrichment("prices", {
      on: sku,
      fields: { cents: t.int64(), parts: t.array(t.record({ name: t.string().optional() })).optional() },
    });
    const model: ClientModel = {
      ...empty,
      events: [order.model],
      sideInputs: [stock.model],
      nodes: [sku.model, bare.model],
      edges: [near.model],
      enrichments: [prices.model],
    };
    expect(declaredBy(evaluate(definitionSource(model, [])))).toBe(declaredIn(model));
  });

  test("finds names for what is called like something else", () => {
    const nodes: NodeModel[] = ["class", "node", "t", "a_b", "aB", "a__b", "view", "__proto__", "_"].map((name) => ({
      name,
      properties: [],
    }));
    const event: EventModel = rdg.event("view", {
      key: "constructor",
      time: "at",
      fields: { constructor: rdg.t.string(), at: rdg.t.timestamp(), ["__proto__"]: rdg.t.string() },
    }).model;
    const sideInputs = [rdg.sideInput("view", { key: "k", fields: { k: rdg.t.string() } }).model];
    const fields = [{ name: "f", type: { kind: "string" }, optional: false } as const];
    const enrichments = ["view", "sideInput", "enrichment"].map((name) => ({ name, on: "class", fields }));
    const model: ClientModel = { ...empty, nodes, events: [event], sideInputs, enrichments };
    const module = evaluate(definitionSource(model, []));
    expect(declaredBy(module)).toBe(declaredIn(model));
    expect(Object.keys(module)).toEqual(
      expect.arrayContaining([
        "classNode",
        "aB",
        "aBNode",
        "view",
        "viewEvent",
        "viewInput",
        "viewEnrichment",
        "sideInputEnrichment",
        "enrichmentEnrichment",
      ]),
    );
  });

  test("is refused where it would become other code", () => {
    const bad = ['x"); process.exit(); ("', "a b", "", 7, "x\n"];
    for (const name of bad) {
      const node = { name, properties: [] } as unknown as NodeModel;
      expect(() => definitionSource({ ...empty, nodes: [node] }, [])).toThrow(rdg.RdgError);
      const property = { name, type: { kind: "string" }, merge: "last" };
      const within = { name: "n", properties: [property] } as unknown as NodeModel;
      expect(() => definitionSource({ ...empty, nodes: [within] }, [])).toThrow(rdg.RdgError);
    }
    for (const name of bad) {
      const input = { name: "n", key: name, fields: [] } as unknown as ClientModel["sideInputs"][number];
      expect(() => definitionSource({ ...empty, sideInputs: [input] }, [])).toThrow(rdg.RdgError);
      const enriching = { name: "n", on: name, fields: [] } as unknown as ClientModel["enrichments"][number];
      expect(() => definitionSource({ ...empty, enrichments: [enriching] }, [])).toThrow(rdg.RdgError);
    }
    const kind = {
      name: "n",
      properties: [{ name: "p", type: { kind: "x()" }, merge: "last" }],
    } as unknown as NodeModel;
    expect(() => definitionSource({ ...empty, nodes: [kind] }, [])).toThrow(rdg.RdgError);
    const ttl = { name: "n", properties: [], ttlMs: "1);x(" } as unknown as NodeModel;
    expect(() => definitionSource({ ...empty, nodes: [ttl] }, [])).toThrow(rdg.RdgError);
    expect(definitionSource(empty, ["a\nb"])).toBe("// a b\n");
  });

  test("declares the same for any definition", () => {
    fc.assert(
      fc.property(models, (random) => {
        const model: ClientModel = { ...random, enrichments: [] };
        expect(declaredBy(evaluate(definitionSource(model, [])))).toBe(declaredIn(model));
      }),
    );
  });
});
