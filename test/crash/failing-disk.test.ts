// A disk that is full or fails: events are refused with the cause, what was refused is not stored, reads go on, and it recovers without a restart.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { feed, newFolder, post, someViews, start } from "./embedded.ts";
import { settled, shownGraph, statusOf } from "./graph-over-http.ts";
import { KillableProcess } from "./killable-process.ts";
import type { Fault } from "./killable.ts";
import { mountTmpfs } from "./tmpfs.ts";
import { expectedEdges, type View } from "./views.ts";

let folder: Awaited<ReturnType<typeof newFolder>>;
let data: string;
const undo: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await newFolder();
  data = join(folder.path, "data");
});
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
  await folder.remove();
});

async function expectGraph(url: string, views: readonly View[]): Promise<void> {
  await settled(url);
  const { viewed } = await shownGraph(url, []);
  expect(Object.fromEntries(viewed)).toEqual(Object.fromEntries(expectedEdges(views)));
}

/** Sends views again and again, under one key, until they are accepted. */
async function sendPatiently(url: string, views: readonly View[], key: string): Promise<void> {
  await expect
    .poll(async () => (await post(url, "/v1/events/view", views, key)).status, { timeout: 20_000, interval: 100 })
    .toBe(202);
}

test("a small disk that fills up: 503 with the cause, reads go on, and events are taken when there is room again", async () => {
  const disk = await mountTmpfs(data, "size=4m");
  // Where none can be mounted, the planned faults below have to do.
  if (disk === undefined) return;
  undo.push(() => disk.unmount());
  const running = await start(data, { "store.checkpoint": 50_000 });
  undo.push(() => running.close());
  const accepted = someViews(50);
  await feed(running.url, accepted);
  // What is left of the disk goes to somebody else.
  const filler = join(data, "filler");
  await writeFile(filler, Buffer.alloc(4 << 20)).catch(() => undefined);
  const refused = someViews(1000);
  const key = "the same request";
  const response = await post(running.url, "/v1/events/view", refused, key);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ code: "disk_full", hint: expect.stringContaining("space") as unknown });
  await expectGraph(running.url, accepted);
  await rm(filler);
  await sendPatiently(running.url, refused, key);
  await expectGraph(running.url, [...accepted, ...refused]);
});

const faults: readonly [string, Fault, string][] = [
  ["every write fails for want of space", { names: ["create", "write"], code: "ENOSPC" }, "disk_full"],
  ["every write fails", { names: ["create", "write"], code: "EIO" }, "log_write_failed"],
  ["every sync fails", { names: ["sync", "syncFolder"], code: "EIO" }, "log_write_failed"],
];
test.each(faults)("%s: nothing is acknowledged, reads go on, and it recovers", async (_, fault, code) => {
  let server = new KillableProcess();
  undo.push(() => server.kill());
  const opened = await server.ask({ ask: "open", data, offsetMs: 0 });
  const url = opened!.url!;
  const accepted = someViews(50);
  await feed(url, accepted);
  await server.ask({ ask: "fail", fault });
  const refused = someViews(20);
  for (let attempt = 0; attempt < 3; attempt++) {
    const response = await post(url, "/v1/events/view", refused, "the same request");
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code });
  }
  await expectGraph(url, accepted);
  // Retention, compaction and checkpoints meet the failing disk, too.
  await server.ask({ ask: "maintain" });
  await server.ask({ ask: "purge" });
  expect((await statusOf(url)).jobs.map(({ state }) => state)).not.toContain("stopped");
  await server.ask({ ask: "fail", fault: undefined });
  await sendPatiently(url, refused, "the same request");
  await expectGraph(url, [...accepted, ...refused]);
  await server.kill();
  server = new KillableProcess();
  const again = await server.ask({ ask: "open", data, offsetMs: 0 });
  await expectGraph(again!.url!, [...accepted, ...refused]);
});

test("a job whose transactions cannot be stored publishes them when the disk works again, once", async () => {
  const server = new KillableProcess();
  undo.push(() => server.kill());
  const { url } = (await server.ask({ ask: "open", data, offsetMs: 0 }))! as { url: string };
  const accepted = someViews(50);
  // Events can be stored all the time: whenever the window is published, it meets the fault.
  await server.ask({ ask: "fail", fault: { names: ["create", "write"], code: "ENOSPC", within: "log/journal" } });
  expect((await post(url, "/v1/events/view", accepted)).status).toBe(202);
  await expect.poll(async () => (await statusOf(url)).jobs[0]!.state, { timeout: 10_000 }).toBe("retrying");
  expect((await shownGraph(url, [])).viewed.size).toBe(0);
  await server.ask({ ask: "fail", fault: undefined });
  await expectGraph(url, accepted);
});

test("a full disk does not keep it from ending, and the next start has what was accepted", async () => {
  const server = new KillableProcess();
  undo.push(() => server.kill());
  const { url } = (await server.ask({ ask: "open", data, offsetMs: 0 }))! as { url: string };
  const accepted = someViews(50);
  await feed(url, accepted);
  await server.ask({ ask: "fail", fault: { names: ["create", "write"], code: "ENOSPC" } });
  expect((await post(url, "/v1/events/view", someViews(5))).status).toBe(503);
  await server.ask({ ask: "close" });
  expect(await server.death).toMatchObject({ code: 0 });
  expect(server.messages).toContain("checkpoint could not be written");
  const running = await start(data);
  undo.push(() => running.close());
  await expectGraph(running.url, accepted);
});

test("writes that write a part of what they are given are gone on with, in every file", async () => {
  const server = new KillableProcess();
  undo.push(() => server.kill());
  const opened = await server.ask({ ask: "open", data, offsetMs: 0, fault: { names: ["write"], code: "short" } });
  const accepted = someViews(200);
  await feed(opened!.url!, accepted);
  const subject = `${opened!.url!}/registry/subjects/other/versions`;
  const schema = JSON.stringify({ type: "record", name: "Other", fields: [] });
  const headers = { "content-type": "application/json" };
  const registered = await fetch(subject, { method: "POST", headers, body: JSON.stringify({ schema }) });
  expect(registered.status).toBe(200);
  await server.ask({ ask: "close" });
  const running = await start(data);
  undo.push(() => running.close());
  await expectGraph(running.url, accepted);
  expect(await (await fetch(`${running.url}/registry/subjects/other/versions`)).json()).toEqual([1]);
});

test("a registry whose disk was full takes schemas again when there is room", async () => {
  const server = new KillableProcess();
  undo.push(() => server.kill());
  const { url } = (await server.ask({ ask: "open", data, offsetMs: 0 }))! as { url: string };
  const register = (name: string): Promise<Response> => {
    const schema = JSON.stringify({ type: "record", name, fields: [] });
    const headers = { "content-type": "application/json" };
    return fetch(`${url}/registry/subjects/${name}/versions`, {
      method: "POST",
      headers,
      body: JSON.stringify({ schema }),
    });
  };
  await server.ask({ ask: "fail", fault: { names: ["write"], code: "ENOSPC" } });
  expect((await register("One")).status).toBe(503);
  await server.ask({ ask: "fail", fault: undefined });
  expect((await register("Two")).status).toBe(200);
  await server.ask({ ask: "close" });
  const running = await start(data);
  undo.push(() => running.close());
  const subjects = (await (await fetch(`${running.url}/registry/subjects`)).json()) as string[];
  expect(subjects).toContain("Two");
  expect(subjects).not.toContain("One");
});
