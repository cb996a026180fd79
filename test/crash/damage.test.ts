// Damage on the disk: what is damaged is named with file and place and never served, what can be made again is, and a torn last write is cut.
import { appendFile, cp, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { verifyStore } from "../../src/compose.ts";
import { seededRandom } from "../../src/core/random.ts";
import { feed, newFolder, settingsFor, someViews, start } from "./embedded.ts";
import { settled, shownGraph, statusOf } from "./graph-over-http.ts";
import graph from "./graph.ts";
import { ServerProcess } from "./server-process.ts";
import { expectedEdges, type View } from "./views.ts";

/** A folder as a clean stop left it, and one as a crash did. */
let whole: Awaited<ReturnType<typeof newFolder>>;
let folder: Awaited<ReturnType<typeof newFolder>>;
let data: string;
const views: View[] = [];

const small = { "log.segment": 1500, "store.checkpoint": 3000 };

beforeAll(async () => {
  whole = await newFolder();
  const running = await start(join(whole.path, "closed"), small);
  for (let i = 0; i < 8; i++) {
    const more = someViews(40);
    await feed(running.url, more);
    views.push(...more);
  }
  await copy(join(whole.path, "closed"), join(whole.path, "crashed"));
  await running.close();
});
afterAll(() => whole.remove());

beforeEach(async () => {
  folder = await newFolder();
  data = join(folder.path, "data");
});
afterEach(() => folder.remove());

/** All but the lock, whose socket is the running owner's. */
function copy(from: string, to: string): Promise<void> {
  return cp(from, to, { recursive: true, filter: (path) => !path.includes("lock") });
}

const take = (which: "closed" | "crashed"): Promise<void> => copy(join(whole.path, which), data);

/** Files whose names match, in order. */
async function files(path: RegExp): Promise<string[]> {
  const names = await readdir(data, { recursive: true });
  return names
    .filter((name) => path.test(name))
    .sort()
    .map((name) => join(data, name));
}

async function flipBit(path: string, random = seededRandom(path.length)): Promise<void> {
  const bytes = await readFile(path);
  const at = bytes.length >> 1;
  bytes[at]! ^= 1 << random.below(8);
  await writeFile(path, bytes);
}

async function expectGraph(url: string): Promise<void> {
  await settled(url);
  const { viewed } = await shownGraph(url, []);
  expect(Object.fromEntries(viewed)).toEqual(Object.fromEntries(expectedEdges(views)));
}

describe("a flipped bit in a middle segment is refused with its file and byte", () => {
  test.each([
    ["of events", /^log\/records\/events\.view\/0\/.*\.segment$/],
    ["of the journal", /^log\/journal\/.*\.segment$/],
  ])("%s", async (_, pattern) => {
    await take("closed");
    const segments = await files(pattern);
    expect(segments.length).toBeGreaterThan(2);
    await flipBit(segments[1]!);
    const place: unknown = expect.stringMatching(new RegExp(`^${segments[1]!}:\\d+$`));
    const refused = { kind: "corrupt", code: "segment_damaged", place };
    await expect(start(data, small)).rejects.toMatchObject(refused);
    await expect(verifyStore(graph, settingsFor(data, small))).rejects.toMatchObject(refused);
  });

  test("and by the command in one line, with exit code 5", async () => {
    await take("closed");
    const [, second] = await files(/^log\/journal\/.*\.segment$/);
    await flipBit(second!);
    const server = new ServerProcess(data);
    await expect(server.start()).rejects.toThrow("damaged");
    const { code, messages } = await server.ended;
    expect(code).toBe(5);
    expect(messages.trim().split("\n")).toHaveLength(1);
    expect(messages).toContain(second!);
  });
});

test("a journal that is damaged while it runs is named by whoever reads it, and everything else goes on", async () => {
  await take("closed");
  const running = await start(data, small);
  const [, second] = await files(/^log\/journal\/.*\.segment$/);
  await flipBit(second!);
  const verification = await fetch(`${running.url}/v1/store/verify`, { method: "POST" });
  expect(verification.status).toBe(500);
  expect(await verification.json()).toMatchObject({
    code: "segment_damaged",
    place: expect.stringContaining(second!) as unknown,
  });
  await expectGraph(running.url);
  await running.close();
});

describe("a damaged checkpoint is passed over with a message that names it", () => {
  let server: ServerProcess;
  beforeEach(async () => {
    await take("closed");
    server = new ServerProcess(data);
  });
  afterEach(() => server.kill());

  async function expectNamed(damaged: readonly string[]): Promise<void> {
    await server.start(["--log-level", "warn"]);
    await expectGraph(server.url!);
    const { code, messages } = await server.stop("SIGTERM");
    expect(code).toBe(0);
    const warnings = messages.split("\n").filter((line) => line.includes("checkpoint"));
    for (const [i, path] of damaged.entries()) expect(warnings[i]).toContain(path);
    expect(warnings).toHaveLength(damaged.length);
  }

  test.each([/^store\/pages-.*\.bin$/, /^store\/checkpoint-.*\.json$/])("for the one before: %s", async (pattern) => {
    const newest = (await files(pattern)).at(-1)!;
    await flipBit(newest);
    await expectNamed([newest]);
  });

  test("for a rebuild from the log, where none is intact", async () => {
    const pages = await files(/^store\/pages-.*\.bin$/);
    expect(pages).toHaveLength(2);
    for (const path of pages) await flipBit(path);
    await expectNamed(pages.toReversed());
    // The next start has an intact one again.
    await expectNamed([]);
  });
});

test("the torn last write of a killed process is cut off and kept beside its file", async () => {
  await take("crashed");
  const torn = [
    (await files(/^log\/records\/events\.view\/0\/.*\.segment$/)).at(-1)!,
    (await files(/^log\/journal\/.*\.segment$/)).at(-1)!,
  ];
  for (const path of torn) await appendFile(path, Buffer.alloc(100, 7));
  const server = new ServerProcess(data);
  await server.start(["--log-level", "warn"]);
  await expectGraph(server.url!);
  const { log } = (await statusOf(server.url!)) as unknown as { log: { cuts: { path: string; savedAs: string }[] } };
  expect(log.cuts.map(({ path }) => path).sort()).toEqual(torn.sort());
  for (const { savedAs } of log.cuts) expect(await readFile(savedAs)).toEqual(Buffer.alloc(100, 7));
  const { messages } = await server.stop("SIGTERM");
  for (const path of torn) expect(messages).toContain(path);
});

test("records that jobs have processed are not torn but lost: refused, and nothing is changed", async () => {
  await take("crashed");
  const path = (await files(/^log\/records\/events\.view\/0\/.*\.segment$/)).at(-1)!;
  const { length } = await readFile(path);
  await truncate(path, length - 10);
  await expect(start(data, small)).rejects.toMatchObject({
    kind: "corrupt",
    code: "segment_damaged",
    place: expect.stringContaining(path) as unknown,
  });
  expect(await readFile(path)).toHaveLength(length - 10);
});
