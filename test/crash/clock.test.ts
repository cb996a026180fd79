// Somebody sets the clock: times of receipt never go back, windows and applying go on, nothing expires that should not, and a restart changes nothing.
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkGraph, checkStore } from "./check-graph.ts";
import { newFolder, post, someViews } from "./embedded.ts";
import { KillableProcess } from "./killable-process.ts";
import { Truth } from "./producers.ts";
import type { View } from "./views.ts";

const hourMs = 3_600_000;

let folder: Awaited<ReturnType<typeof newFolder>>;
let server: KillableProcess;
let offsetMs = 0;
let latestMs = 0;
let truth: Truth;

beforeEach(async () => {
  folder = await newFolder();
  offsetMs = 0;
  latestMs = Date.now();
  truth = new Truth();
});
afterEach(async () => {
  await server.kill();
  await folder.remove();
});

async function open(): Promise<string> {
  server = new KillableProcess();
  const opened = await server.ask({ ask: "open", data: join(folder.path, "data"), offsetMs });
  return opened!.url!;
}

async function jump(ms: number): Promise<void> {
  offsetMs += ms;
  latestMs = Math.max(latestMs, Date.now() + offsetMs);
  await server.ask({ ask: "advance", ms });
}

/** Views of sessions of a phase, with times before the clock that the server has now. */
async function send(url: string, phase: number): Promise<void> {
  const views = someViews(60).map((view, i): View => ({
    ...view,
    at: view.at + offsetMs,
    sessionId: `s${phase}-${i % 5}`,
  }));
  const response = await post(url, "/v1/events/view", views);
  expect(response.status).toBe(202);
  truth.views.push(...views);
  truth.counts.received += views.length;
  truth.counts.mapped += views.length;
}

/** Everything is in the graph, and every session of this phase and the one before is still to be seen. */
async function check(url: string, phase: number): Promise<void> {
  await server.ask({ ask: "maintain" });
  await server.ask({ ask: "purge" });
  await checkGraph(url, truth, () => ({ nowMs: Date.now() + offsetMs, latestMs }), phase);
  await checkStore(url);
}

async function receiptTimes(url: string): Promise<number[][]> {
  const text = await (await fetch(`${url}/v1/topics/events.view/records?from=start`)).text();
  const records = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { partition: number; receivedAt: string });
  return [0, 1].map((wanted) =>
    records.filter(({ partition }) => partition === wanted).map(({ receivedAt }) => Date.parse(receivedAt)),
  );
}

test("back by an hour: events go on into the graph, times of receipt do not go back, nothing expires", async () => {
  let url = await open();
  await post(
    url,
    "/v1/inputs/pages",
    Array.from({ length: 25 }, (_, i) => ({ pageId: `p${i}`, title: `Page p${i}` })),
  );
  await send(url, 0);
  await check(url, 0);
  await jump(-hourMs);
  await send(url, 1);
  await check(url, 1);
  for (const times of await receiptTimes(url)) expect(times).toEqual(times.toSorted((a, b) => a - b));
  await server.kill();
  url = await open();
  await check(url, 1);
  await send(url, 1);
  await check(url, 1);
  for (const times of await receiptTimes(url)) expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test("forward by a day and back again: what had expired may be gone, what has not is there", async () => {
  let url = await open();
  await post(
    url,
    "/v1/inputs/pages",
    Array.from({ length: 25 }, (_, i) => ({ pageId: `p${i}`, title: `Page p${i}` })),
  );
  await send(url, 0);
  await check(url, 0);
  await jump(24 * hourMs);
  await send(url, 1);
  await check(url, 1);
  await jump(-24 * hourMs);
  await send(url, 2);
  await check(url, 2);
  await server.kill();
  url = await open();
  await send(url, 2);
  await check(url, 2);
});
