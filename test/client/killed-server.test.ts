// The producer and a server that is killed while it takes events: each is counted once, the graph tells, and the client never noticed.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { edge, event, node, t } from "rdg";
import { connect } from "rdg/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Dev, runCli } from "../cli/run-cli.ts";

// As `rdg client` writes them for the graph of `rdg init`.
const view = event("view", {
  key: "userId",
  time: "at",
  fields: { userId: t.string(), pageId: t.string(), deviceId: t.string().optional(), at: t.timestamp() },
});
const user = node("user");
const page = node("page", { views: t.counter() });
const viewed = edge("viewed", user, page, { ttl: "100d", properties: { times: t.counter() } });

let folder: string;
let project: string;
let dev: Dev | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-client-"));
  project = join(folder, "views");
  expect(await runCli(["init", project])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await dev?.stop("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

test("every event is counted once, whenever the server is killed meanwhile", { timeout: 60_000 }, async () => {
  const users = ["ada", "bob", "cem"];
  const perUser = 600;
  dev = await Dev.start([], { cwd: project });
  const { port } = new URL(dev.url);
  const rdg = connect(dev.url);
  const producer = rdg.producer(view, { batch: 40, inFlightMax: 3, lingerMs: 1 });
  const at = new Date();
  let killing = Promise.resolve();
  async function* views(): AsyncGenerator<{ userId: string; pageId: string; at: Date }> {
    for (let i = 0; i < users.length * perUser; i++) {
      // In the middle of what is under way.
      if (i === 700) killing = restart();
      yield { userId: users[i % users.length]!, pageId: "home", at };
    }
  }
  async function restart(): Promise<void> {
    await dev!.stop("SIGKILL");
    // The port behind it may be somebody else's by now.
    dev = await Dev.start(["--port", port, "--grpc-port", "off"], { cwd: project });
  }
  expect(await producer.sendAll(views())).toEqual({ accepted: users.length * perUser });
  const { positions } = await producer.send({ userId: "ada", pageId: "docs", at });
  await producer.close();
  await killing;
  // The whole topic, not its last request only.
  await rdg.from(user, "ada").run({ waitFor: positions, timeoutMs: 9_000 });
  const answer = await rdg
    .from(user, ...(users as [string]))
    .out(viewed)
    .run();
  expect(answer.edges(0).map(({ from, to, properties }) => [from.id, to.id, properties.times])).toEqual([
    ["ada", "docs", 1n],
    ["ada", "home", 600n],
    ["bob", "home", 600n],
    ["cem", "home", 600n],
  ]);
  expect(answer.edges(0)[1]!.to.properties.views).toBe(1_800n);
});
