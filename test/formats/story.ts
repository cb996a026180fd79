// What golden folders hold and what they are asked: told once when a folder is made, and asked again of every later release.
import { tmpdir } from "node:os";
import { canonicalFile } from "../../src/export/canonical-file.ts";
import { sortExport } from "../../src/export/sort-export.ts";
import graph from "./graph.ts";
import type { Product } from "./product.ts";

/** What time it is when folders are written; they are opened half an hour later: what is remembered for an hour is known. */
export const writtenMs = Date.UTC(2026, 0, 15, 12);
export const openedMs = writtenMs + 1_800_000;

/** Views numbered from..to; all of their times lie before `writtenMs`. */
export function views(from: number, to: number): readonly Readonly<Record<string, unknown>>[] {
  return Array.from({ length: to - from }, (_, i) => {
    const number = from + i;
    return {
      viewId: `view-${number}`,
      userId: ["anna", "bo", "chloé", "__proto__"][number % 4],
      pageId: `page-${(number * 7) % 11}`,
      // Beyond what a double holds exactly.
      seconds: number % 13 === 0 ? "9007199254740993" : number % 50,
      ...(number % 3 === 0 ? { rating: number / 8 } : {}),
      device: ["phone", "television", "browser"][number % 3],
      country: ["NL", "FR", "PT", "IE", "DE"][number % 5],
      ...(number % 2 === 0 ? { sessionId: `session-${number % 6}` } : {}),
      at: new Date(writtenMs - 60_000 + number * 10).toISOString(),
    };
  });
}

/** Everything that leaves something on the disk: side inputs twice, keys of idempotency, records that are wrong, removals, repeated ids. */
export async function writeStory(product: Product): Promise<void> {
  const pages = Array.from({ length: 11 }, (_, i) => ({ pageId: `page-${i}`, title: `Page ${i}`, words: i * 100 }));
  await product.send("/v1/inputs/catalogue", pages.slice(0, 8));
  await product.send("/v1/inputs/catalogue", [{ pageId: "page-3", title: "Page 3, second edition" }]);
  await product.send("/v1/events/view", views(0, 60), "first request");
  await product.send("/v1/events/view", views(50, 80));
  await product.settled();
  await product.send("/v1/events/view?partial=true", [...views(80, 82), { viewId: "without anything else" }]);
  // No node has an id as long as that: the job puts the event aside.
  await product.send("/v1/events/view", [{ ...views(82, 83)[0]!, pageId: "p".repeat(1_100) }]);
  await product.send("/v1/events/left", [{ userId: "bo", at: new Date(writtenMs - 30_000).toISOString() }]);
  await product.settled();
  await product.send("/v1/events/view", views(100, 140));
  await product.settled();
}

/** Asked of a folder just after it was opened. Times in answers that only tell how long they took are left out by `told`. */
const questions: readonly (readonly [path: string, body: unknown])[] = [
  [
    "/v1/traverse",
    {
      from: { type: "user", ids: ["anna", "bo", "chloé", "__proto__", "nobody"] },
      hops: [{ edge: "viewed", limit: 300, since: "ever" }],
    },
  ],
  [
    "/v1/traverse",
    {
      from: { type: "page", ids: ["page-0"] },
      hops: [
        { edge: "viewed", direction: "in", since: "ever" },
        { edge: "viewed", since: "ever", where: { edge: { rating: { gte: 1 } } } },
      ],
    },
  ],
  ["/v1/nodes", { type: "page", ids: Array.from({ length: 12 }, (_, i) => `page-${i}`) }],
  ["/v1/nodes", { type: "session", ids: ["session-0", "session-2"] }],
  ["/v1/edges", { type: "viewed", pairs: [{ from: "anna", to: "page-0" }] }],
  ["/v1/count", { from: { type: "user", ids: ["anna", "bo"] }, edge: "*" }],
  ["/v1/shortest-path", { from: { type: "user", id: "anna" }, to: { type: "user", id: "chloé" } }],
];

/** Its token is kept with the answers: it is continued by later releases. */
const cutShort = {
  from: { type: "user", ids: ["anna"] },
  hops: [{ edge: "viewed", limit: 2, since: "ever" }],
};

const topics = ["events.view", "events.left", "inputs.catalogue", "quarantine.gateway", "quarantine.jobs.view"];
const typeTopics = ["nodes.user", "edges.viewed"];

/** What a folder is asked, and what it answers. */
export interface Recorded {
  readonly answers: readonly { readonly path: string; readonly body: unknown; readonly answer: unknown }[];
  /** Of a hop that was cut short, and what it goes on with. */
  readonly token: string;
  readonly continued: unknown;
  /** Lines of JSON by topic. */
  readonly topics: Readonly<Record<string, readonly string[]>>;
}

/** @param token of an earlier record, instead of one of its own */
export async function record(product: Product, token?: string): Promise<Recorded> {
  const answers: Recorded["answers"][number][] = [];
  for (const [path, body] of questions) answers.push({ path, body, answer: told(await product.ask(path, body)) });
  const cut = JSON.parse(await product.ask("/v1/traverse", cutShort)) as {
    readonly hops: readonly { readonly truncated: { readonly next: string } }[];
  };
  const next = token ?? cut.hops[0]!.truncated.next;
  const continued = told(await product.ask("/v1/traverse", { continue: next }));
  const records: Record<string, readonly string[]> = {};
  for (const topic of [...topics, ...typeTopics]) {
    const text = await product.ask(`/v1/topics/${topic}/records?from=start`);
    records[topic] = text.split("\n").filter((line) => line !== "");
  }
  return { answers, token: next, continued, topics: records };
}

/** Without what tells how long it took, and without tokens: they are signed anew each time. */
function told(answer: string): unknown {
  return JSON.parse(answer, (name, value: unknown) => {
    return name === "timings" || name === "next" ? undefined : value;
  }) as unknown;
}

/** The canonical export. */
export async function exported(product: Product): Promise<string> {
  const text = await product.ask("/v1/export");
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
  }
  const sorted = await sortExport(pieces(), { model: graph.model, folder: tmpdir() });
  try {
    return Buffer.concat([...canonicalFile(sorted, false)]).toString();
  } finally {
    sorted.close();
  }
}
