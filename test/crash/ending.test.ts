// How RDG ends as a process: told to, told twice, with the thread of its pipeline gone, with a store that takes nothing more.
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunningRdg } from "../../src/compose.ts";
import { feed, newFolder, post, someViews, start } from "./embedded.ts";
import { settled, shownGraph, statusOf } from "./graph-over-http.ts";
import { ServerProcess } from "./server-process.ts";
import { expectedEdges, type View } from "./views.ts";

let folder: Awaited<ReturnType<typeof newFolder>>;
let server: ServerProcess;
beforeEach(async () => {
  folder = await newFolder();
  server = new ServerProcess(join(folder.path, "data"));
});
afterEach(async () => {
  await server.kill();
  await folder.remove();
});

test("SIGTERM while events flow finishes what was accepted and exits 0", async () => {
  await server.start();
  const accepted: View[] = [];
  const sending = [1, 2, 3].map(async () => {
    for (;;) {
      const views = someViews(40);
      const response = await post(server.url ?? "", "/v1/events/view", views).catch(() => undefined);
      if (response?.status !== 202) return;
      accepted.push(...views);
    }
  });
  while (accepted.length < 2000) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await server.stop("SIGTERM")).toMatchObject({ code: 0 });
  await Promise.all(sending);
  await server.start();
  // Nothing is left to be worked off: the graph has it from the start.
  const { viewed } = await shownGraph(server.url!, []);
  expect(Object.fromEntries(viewed)).toEqual(Object.fromEntries(expectedEdges(accepted)));
});

test("a second Ctrl-C ends it at once", async () => {
  await server.start();
  const { port, hostname } = new URL(server.url!);
  // A request that is never sent to its end keeps the server from closing.
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  socket.write(
    "POST /v1/events/view HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
  );
  await settled(server.url!);
  const ended = server.stop("SIGINT");
  await server.said(/finishing what was accepted/);
  void server.stop("SIGINT");
  expect(await ended).toMatchObject({ code: 1 });
  socket.destroy();
});

test.each([
  ["exit", /pipeline's thread ended: exit code 3/],
  ["throw", /pipeline's thread ended: .*the thread's own mistake/],
])("when the thread of the pipeline ends (%s), the process ends with the cause", async (id, cause) => {
  const dying = new URL("dying.graph.ts", import.meta.url).pathname;
  server = new ServerProcess(join(folder.path, "data"), dying);
  await server.start();
  await post(server.url!, "/v1/events/step", [{ id, at: Date.now() }]).catch(() => undefined);
  const { code, messages } = await server.ended;
  expect(messages).toMatch(cause);
  expect(code).toBe(1);
});

test("a store at its memory budget does not keep it from ending, and nothing is lost", async () => {
  const data = join(folder.path, "data");
  const paused = await start(data, { "jobs.paused": "view" });
  const accepted = someViews(4000);
  for (let i = 0; i < accepted.length; i += 100) {
    expect((await post(paused.url, "/v1/events/view", accepted.slice(i, i + 100))).status).toBe(202);
  }
  await paused.close();
  // Far more transactions than may wait for the store.
  const small = await start(data, { "store.memory": 20_000 });
  await expect.poll(async () => (await statusOf(small.url)).refusing).toMatch(/budget/);
  const refused = await post(small.url, "/v1/events/view", someViews(1));
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: "memory_budget" });
  await small.close();
  const large = await start(data);
  await settled(large.url);
  const { viewed } = await shownGraph(large.url, []);
  expect(Object.fromEntries(viewed)).toEqual(Object.fromEntries(expectedEdges(accepted)));
  await large.close();
});

/** Fails where closing takes as long as closing connections by force would. */
async function closesSoon(running: RunningRdg): Promise<void> {
  const late = new Promise<string>((resolve) => setTimeout(() => resolve("late"), 8000).unref());
  expect(await Promise.race([running.close(), late])).toBeUndefined();
}

test("a stream of records that is followed does not keep it from ending", async () => {
  const running = await start(join(folder.path, "data"));
  await feed(running.url, someViews(5));
  const tail = await fetch(`${running.url}/v1/topics/events.view/records?from=start&follow=true`);
  await closesSoon(running);
  expect((await tail.text()).trim().split("\n")).toHaveLength(5);
});

test("a request under way is answered, and its connection, kept open by its client, does not keep it from ending", async () => {
  const running = await start(join(folder.path, "data"));
  const { port, hostname } = new URL(running.url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify(someViews(1)[0]);
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString("utf8")));
  const headers = `host: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.write(`POST /v1/events/view HTTP/1.1\r\n${headers}\r\nexpect: 100-continue\r\n\r\n`);
  await expect.poll(() => answer).toContain("100 Continue");
  const closed = closesSoon(running);
  socket.write(body);
  await closed;
  expect(answer).toContain("202 Accepted");
  socket.destroy();
});

test("closing twice is closing once", async () => {
  const running = await start(join(folder.path, "data"));
  await Promise.all([running.close(), running.close()]);
  await running.close();
});
