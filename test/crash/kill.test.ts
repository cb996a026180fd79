// Kills a server under load with SIGKILL at random moments, again and again: in the end every acknowledged event is in the graph exactly once.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { randomId, seededRandom, type Random } from "../../src/core/random.ts";
import { firstSeed } from "../first-seed.ts";
import { settled, shownGraph, verifyStore } from "./graph-over-http.ts";
import { ServerProcess } from "./server-process.ts";
import { expectedEdges, expectedPages, expectedUsers, pageIds, randomView, type View } from "./views.ts";

const kills = Number(process.env["CRASH_KILLS"] ?? 8);
const seed = firstSeed("CRASH_SEED");
const folders: string[] = [];
const servers: ServerProcess[] = [];

afterAll(async () => {
  await Promise.all(servers.map((server) => server.kill()));
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

/** Sends a body until it is acknowledged, whatever happens to the server meanwhile. */
async function sendUntilAccepted(server: ServerProcess, path: string, body: string): Promise<void> {
  const headers = { "content-type": "application/x-ndjson", "idempotency-key": randomId() };
  for (;;) {
    if (server.url !== undefined) {
      const response = await fetch(server.url + path, { method: "POST", headers, body }).catch(() => undefined);
      if (response?.status === 202) return;
      if (response !== undefined && response.status !== 429 && response.status !== 503) {
        throw new Error(`${path} was answered ${response.status}: ${await response.text()}`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Sends random views in batches until told to stop; what it returns was acknowledged. */
async function produce(server: ServerProcess, worker: number, random: Random, stopped: () => boolean): Promise<View[]> {
  const accepted: View[] = [];
  const baseMs = Date.now() - 60_000;
  for (let batch = 0; !stopped(); batch++) {
    const views = Array.from({ length: 1 + random.below(60) }, (_, i) =>
      randomView(worker * 1e9 + batch * 100 + i, baseMs, random),
    );
    // Some come twice in one request, under the same event id: dropped by the job.
    const sent = [...views, ...views.slice(0, random.below(3))];
    await sendUntilAccepted(server, "/v1/events/view", sent.map((view) => JSON.stringify(view)).join("\n"));
    accepted.push(...views);
  }
  return accepted;
}

async function expectGraph(url: string, views: readonly View[]): Promise<void> {
  const shown = await shownGraph(url, []);
  expect(Object.fromEntries(shown.viewed)).toEqual(Object.fromEntries(expectedEdges(views)));
  expect(Object.fromEntries(shown.users)).toEqual(Object.fromEntries(expectedUsers(views)));
  expect(Object.fromEntries(shown.pages)).toEqual(Object.fromEntries(expectedPages(views)));
}

test(`${kills} kills lose nothing and double nothing (CRASH_SEED=${seed})`, { timeout: 240_000 }, async () => {
  const random = seededRandom(seed);
  const data = await mkdtemp(join(tmpdir(), "rdg-crash-"));
  folders.push(data);
  const server = new ServerProcess(data);
  servers.push(server);
  const flags = ["--log-level", "error", "--store-checkpoint", "100kB", "--log-segment", "200kB"];
  await server.start(flags);
  const rows = pageIds.map((pageId) => JSON.stringify({ pageId, title: `Page ${pageId}` })).join("\n");
  await sendUntilAccepted(server, "/v1/inputs/pages", rows);

  let stop = false;
  const producing = Promise.all([0, 1, 2].map((worker) => produce(server, worker, random, () => stop)));
  for (let kill = 0; kill < kills; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 50 + random.below(600)));
    await server.kill();
    // Now and then the start itself is killed.
    if (random.below(3) === 0) {
      const starting = server.start(flags);
      await new Promise((resolve) => setTimeout(resolve, random.below(700)));
      await server.kill();
      await starting;
    }
    await server.start(flags);
  }
  stop = true;
  const views = (await producing).flat();
  await settled(server.url!);
  await expectGraph(server.url!, views);

  expect(await verifyStore(server.url!)).toMatchObject({ differences: [], rebuilt: true });

  await server.kill("SIGTERM");
  await server.start(flags);
  await expectGraph(server.url!, views);
});
