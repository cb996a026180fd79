// RDG in the test's own process, on a folder of its own: for everything that no process has to die for.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedSettings, embeddedSettings, type RunningRdg, startEmbedded } from "../../src/compose.ts";
import { seededRandom } from "../../src/core/random.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { settled } from "./graph-over-http.ts";
import graph from "./graph.ts";
import { randomView, type View } from "./views.ts";

export async function newFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "rdg-crash-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export function settingsFor(data: string, settings: Partial<EmbeddedSettings> = {}): EmbeddedSettings {
  return { ...resolveSettings(embeddedSettings, {}).values, data, port: 0, "log.level": "silent", ...settings };
}

/** Resolves when it is ready. */
export async function start(data: string, settings?: Partial<EmbeddedSettings>): Promise<RunningRdg> {
  const running = await startEmbedded(graph, settingsFor(data, settings));
  try {
    await running.ready;
  } catch (error) {
    await running.close().catch(() => undefined);
    throw error;
  }
  return running;
}

const random = seededRandom(1);
let lastNumber = 0;

export function someViews(count: number): View[] {
  return Array.from({ length: count }, () => randomView(++lastNumber, Date.now() - 10_000, random));
}

/** @param key of idempotency */
export function post(url: string, path: string, lines: readonly unknown[], key?: string): Promise<Response> {
  const headers = { "content-type": "application/x-ndjson", ...(key === undefined ? {} : { "idempotency-key": key }) };
  return fetch(url + path, { method: "POST", headers, body: lines.map((line) => JSON.stringify(line)).join("\n") });
}

/** Sends views, waits until they are in the graph; @throws Error when they are refused */
export async function feed(url: string, views: readonly View[]): Promise<void> {
  const response = await post(url, "/v1/events/view", views);
  if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
  await settled(url);
}
