// Kills a server under load with SIGKILL at random moments, again and again: in the end every acknowledged event is in the graph exactly once.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { randomId, seededRandom, type Random } from "../../src/core/random.ts";
import { ServerProcess } from "./server-process.ts";
import { expectedEdges, expectedPage, expectedUser, pageIds, randomView, userIds, type View } from "./views.ts";

const kills = Number(process.env["CRASH_KILLS"] ?? 8);
const seed = Number(process.env["CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
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

async function settled(url: string): Promise<void> {
  for (;;) {
    const status = (await (await fetch(`${url}/v1/status`)).json()) as {
      jobs: { lagRecords: number; state: string; cause?: string }[];
      store: { lagTransactions: number };
    };
    if (status.store.lagTransactions === 0 && status.jobs.every(({ lagRecords }) => lagRecords === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Answer {
  readonly complete: boolean;
  readonly levels: readonly {
    readonly nodes: readonly { id: string; properties: Record<string, unknown> }[];
    readonly edges?: readonly {
      from: string;
      to: string;
      firstSeen: string;
      lastSeen: string;
      properties: Record<string, unknown>;
    }[];
  }[];
}

async function traverse(url: string, request: unknown): Promise<Answer> {
  const response = await fetch(`${url}/v1/traverse`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

async function expectGraph(url: string, views: readonly View[]): Promise<void> {
  const { complete, levels } = await traverse(url, {
    from: { type: "user", ids: userIds },
    hops: [{ edge: "viewed", limit: 1000 }],
  });
  expect(complete).toBe(true);
  const edges = levels[1]!.edges!.map(({ from, to, firstSeen, lastSeen, properties }) => [
    `${from} ${to}`,
    { ...properties, firstSeen, lastSeen },
  ]);
  expect(Object.fromEntries(edges)).toEqual(Object.fromEntries(expectedEdges(views)));
  for (const { id, properties } of levels[0]!.nodes) expect(properties).toEqual(expectedUser(views, id));
  const pages = await traverse(url, { from: { type: "page", ids: pageIds }, hops: [] });
  for (const { id, properties } of pages.levels[0]!.nodes) expect(properties).toEqual(expectedPage(views, id));
  expect(pages.levels[0]!.nodes).toHaveLength(new Set(views.map(({ pageId }) => pageId)).size);
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

  const verification = await fetch(`${server.url!}/v1/store/verify`, { method: "POST" });
  expect(await verification.json()).toMatchObject({ differences: [], rebuilt: true });

  await server.kill("SIGTERM");
  await server.start(flags);
  await expectGraph(server.url!, views);
});
