// Exports read by others: GraphML by networkx, CSV by Python's csv with every field read as the type that its column declares.
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { csvFiles } from "../../src/export/csv.ts";
import { graphmlFile } from "../../src/export/graphml.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import {
  TestClock,
  baseMs,
  conformanceGraph,
  frameOf,
  upsertEdge,
  upsertNode,
} from "../../src/store/conformance-graph.ts";
import type { Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { sortedOf } from "../export/exported.ts";
import { run } from "./run.ts";

type Row = Readonly<Record<string, unknown>>;

/** The last ones have what XML cannot hold, or look like what stands for it. */
const ids = [
  "plain",
  "__proto__",
  `"<&>'`,
  "a,b;c",
  "\n",
  "\r\n",
  " x\t",
  "\u{1f600}",
  "\u0000\u0001\uffff",
  "_x0001_",
  "_x0041\u0001",
];
const clock = new TestClock();
const model: GraphModel = conformanceGraph;
const person = {
  age: 7,
  score: 0.1,
  active: true,
  kind: "episode",
  balance: 2n ** 63n - 1n,
  photo: Uint8Array.of(0, 255),
  tags: ["x;y", ""],
  numbers: [3, -1, 2n ** 62n],
  country: null,
};
let folder: string;
let store: Store;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-foreign-export-"));
  store = referenceStore({ model, clock });
  const updates = [
    ...ids.map((id) => upsertNode("person", id, baseMs, { ...person, name: id })),
    ...ids.map((id) => upsertEdge("knows", "plain", id, baseMs + 1, { weight: 1.5, since: baseMs, note: id })),
    upsertEdge("owns", "plain", "never upserted", baseMs),
    upsertEdge("knows", "plain", "person that is not there", baseMs, { note: "" }),
  ];
  await store.apply(frameOf(0, updates));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(script: string, path: string): Promise<string> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const ran = await run(inject("python"), [file, path], { timeoutMs: 60_000 });
  expect(ran.code, ran.output).toBe(0);
  return ran.stdout;
}

/** Python writes integers of any length; JSON.parse would round them. */
function exact(text: string): unknown {
  return JSON.parse(text.replaceAll(/([:[ ,])(-?\d{16,})(?=[,\]}])/g, '$1"$2"'));
}

const byId = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe("GraphML", () => {
  test("is the graph to networkx, with types", async () => {
    const path = join(folder, "graph.graphml");
    await writeFile(
      path,
      Buffer.concat([...graphmlFile(await sortedOf({ model, store, clock }, { withEnds: true }), model)]),
    );
    const graph = exact(await read("read_graphml.py", path)) as {
      directed: boolean;
      nodes: [string, Row][];
      edges: [string, string, Row][];
    };
    expect(graph.directed).toBe(true);
    const known = graph.nodes.filter(([, data]) => data["rdg.type"] === "person" && data["rdg.lastSeen"] !== undefined);
    expect(known.map(([id, data]) => [unescaped(id), unescaped(data["rdg.id"]), unescaped(data["name"])])).toEqual(
      ids.toSorted(byId).map((id) => [`person:${id}`, id, id]),
    );
    expect(known[0]![1]).toMatchObject({
      age: 7,
      score: 0.1,
      active: true,
      kind: "episode",
      balance: "9223372036854775807",
      photo: "AP8=",
      tags: '["","x;y"]',
      numbers: '["-1","3","4611686018427387904"]',
    });
    expect(known[0]![1]).not.toHaveProperty("country");
    const mentioned = graph.nodes.filter(([, data]) => data["rdg.lastSeen"] === undefined);
    expect(mentioned).toEqual([
      ["person:person that is not there", { "rdg.type": "person", "rdg.id": "person that is not there" }],
      ["thing:never upserted", { "rdg.type": "thing", "rdg.id": "never upserted" }],
    ]);
    expect(graph.edges.map(([from]) => from)).toEqual(graph.edges.map(() => "person:plain"));
    const knows = graph.edges.filter(([, , data]) => data["rdg.type"] === "knows" && data["weight"] === 1.5);
    expect(knows.map(([, to, data]) => [unescaped(to), unescaped(data["note"])])).toEqual(
      expect.arrayContaining(ids.map((id) => [`person:${id}`, id])),
    );
    expect([graph.edges.length, knows.length]).toEqual([ids.length + 2, ids.length]);
  });
});

/** As docs/export.md tells readers to. */
function unescaped(text: unknown): string {
  return String(text).replaceAll(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}

describe("CSV", () => {
  test("is the graph to Python's csv, with the types of its columns", async () => {
    const path = join(folder, "csv");
    await mkdir(path);
    const texts = new Map<string, string>();
    const sorted = await sortedOf({ model, store, clock }, { withEnds: true });
    for (const { file, text } of csvFiles(sorted, model)) texts.set(file, (texts.get(file) ?? "") + text);
    for (const [file, text] of texts) await writeFile(join(path, file), text);
    const files = exact(await read("read_csv.py", path)) as Readonly<Record<string, Row[]>>;
    expect(Object.keys(files)).toEqual([
      "edges.knows.csv",
      "edges.owns.csv",
      "edges.uses.csv",
      "nodes.person.csv",
      "nodes.session.csv",
      "nodes.thing.csv",
    ]);
    const people = files["nodes.person.csv"]!;
    const all = [...ids, "person that is not there"].toSorted(byId);
    expect(people.map((row) => row["rdg.id:ID(person)"])).toEqual(all);
    const plain = people.find((row) => row["rdg.id:ID(person)"] === "plain")!;
    expect(plain).toEqual({
      "rdg.id:ID(person)": "plain",
      "rdg.firstSeen:datetime": "2023-11-14T22:13:20+00:00",
      "rdg.lastSeen:datetime": "2023-11-14T22:13:20+00:00",
      "name:string": "plain",
      "country:string": null,
      "age:int": 7,
      "score:double": 0.1,
      "active:boolean": true,
      "kind:string": "episode",
      "balance:long": "9223372036854775807",
      "smallest:long": null,
      "photo:string": "AP8=",
      "tags:string": '["","x;y"]',
      "numbers:long[]": [-1, 3, "4611686018427387904"],
      "visits:long": null,
      ":LABEL": "person",
    });
    expect(people.find((row) => row["rdg.id:ID(person)"] === "person that is not there")).toMatchObject({
      "rdg.lastSeen:datetime": null,
      ":LABEL": "person",
    });
    const edges = files["edges.knows.csv"]!;
    expect(edges.map((row) => row[":END_ID(person)"])).toEqual(all);
    expect(edges.map((row) => row["note:string"])).toEqual(all.map((id) => (ids.includes(id) ? id : null)));
    expect(edges.every((row) => row[":START_ID(person)"] === "plain" && row[":TYPE"] === "knows")).toBe(true);
    expect(files["nodes.thing.csv"]).toMatchObject([{ "rdg.id:ID(thing)": "never upserted" }]);
  });
});
