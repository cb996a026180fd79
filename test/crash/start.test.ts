// What keeps RDG from starting is told in one clear error, and a start that failed leaves nothing behind: no lock, no thread, no open port.
import { once } from "node:events";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { verifyStore } from "../../src/compose.ts";
import type { ErrorKind } from "../../src/core/errors.ts";
import { feed, newFolder, settingsFor, someViews, start } from "./embedded.ts";
import { statusOf } from "./graph-over-http.ts";
import graph from "./graph.ts";
import { mountTmpfs } from "./tmpfs.ts";

let folder: Awaited<ReturnType<typeof newFolder>>;
let data: string;
const undo: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await newFolder();
  data = join(folder.path, "data");
});
afterEach(async () => {
  for (const each of undo.splice(0)) await each();
  await folder.remove();
});

/** A data folder with something of every kind in it. */
async function fill(): Promise<void> {
  const running = await start(data, { "store.checkpoint": 1 });
  await feed(running.url, someViews(20));
  await running.close();
}

test("a taken port is one clear error, and the folder is free again", async () => {
  await fill();
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  undo.push(() => new Promise((resolve) => other.close(resolve)));
  const { port } = other.address() as AddressInfo;
  await expect(start(data, { port })).rejects.toMatchObject({ kind: "conflict", code: "port_taken" });
  await (await start(data)).close();
});

test("what jobs have counted is never told as zero while they begin", async () => {
  await fill();
  const running = await start(data);
  undo.push(() => running.close());
  for (;;) {
    const { state, counters } = (await statusOf(running.url)).jobs[0]!;
    const received = counters["received"]?.reduce((sum, count) => sum + count, 0);
    if (state === "running") {
      expect(received).toBe(20);
      break;
    }
    expect([undefined, 20]).toContain(received);
  }
});

test("a folder that cannot be written to is named with the reason", async () => {
  const refused = (path: string, reason: string) =>
    expect(start(path)).rejects.toMatchObject({
      kind: "unavailable",
      code: "folder_not_usable",
      place: path,
      message: expect.stringContaining(reason) as unknown,
    });
  await writeFile(data, "");
  await refused(data, "there is a file of this name");
  await refused(join(data, "below"), "there is a file of this name");
  const readOnly = await readOnlyFolder();
  if (readOnly === undefined) return;
  await refused(readOnly.path, readOnly.reason);
  await refused(join(readOnly.path, "below", "it"), readOnly.reason);
});

/** Root writes everywhere but to a read-only file system; undefined where it may not mount one. */
async function readOnlyFolder(): Promise<{ path: string; reason: string } | undefined> {
  const path = join(folder.path, "read-only");
  const mounted = await mountTmpfs(path, "ro");
  if (mounted !== undefined) {
    undo.push(() => mounted.unmount());
    return { path, reason: "its disk is read-only" };
  }
  if (process.getuid?.() === 0) return undefined;
  await mkdir(path, { mode: 0o500 });
  return { path, reason: "this user may not write there" };
}

describe("a file of a format that this version does not know is named", () => {
  const change = (path: string, change: (bytes: Buffer) => Buffer) => async (): Promise<string> => {
    const [name] = (await readdir(data, { recursive: true })).filter((found) => new RegExp(`^${path}$`).test(found));
    const file = join(data, name!);
    await writeFile(file, change(await readFile(file)));
    return file;
  };
  const text = (from: RegExp, to: string) => (bytes: Buffer) =>
    Buffer.from(bytes.toString("latin1").replace(from, to), "latin1");
  const registryFormat = (bytes: Buffer): Buffer => {
    bytes.writeUInt32BE(9, 8);
    return bytes;
  };
  const segmentFormat = (bytes: Buffer): Buffer => {
    bytes.writeUInt16LE(9, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
    return bytes;
  };
  const cases: readonly [string, () => Promise<string>, ErrorKind, string][] = [
    ["definition", change("definition\\.json", text(/"format":\d+/, '"format":9')), "invalid", "unknown_format"],
    ["model in the definition", change("definition\\.json", () => Buffer.from("{}")), "corrupt", "bad_definition_file"],
    ["log's metadata", change("log/metadata", text(/metadata 1/, "metadata 9")), "invalid", "unknown_format"],
    ["events", change("log/records/events\\.view/0/.*segment", segmentFormat), "invalid", "unknown_format"],
    ["journal", change("log/journal/.*segment", segmentFormat), "invalid", "unknown_format"],
    ["registry", change("schemas/schemas\\.journal", registryFormat), "corrupt", "registry_format_unknown"],
    [
      "checkpoint",
      change("store/.*json", text(/checkpoint 1/, "checkpoint 9")),
      "corrupt",
      "checkpoint_format_unknown",
    ],
    ["key of continuations", change("keys/continuation", () => Buffer.alloc(48)), "corrupt", "bad_key"],
  ];
  test.each(cases)("%s", async (_, spoil, kind, code) => {
    await fill();
    const file = await spoil();
    const place: unknown = expect.stringContaining(file);
    await expect(start(data)).rejects.toMatchObject({ kind, code, place, hint: expect.any(String) as unknown });
    // Again: the first attempt has not kept the lock.
    await expect(start(data)).rejects.toMatchObject({ kind, code });
  });
});

describe("a log that lacks what the store goes on from is refused", () => {
  const missing = { kind: "corrupt", code: "transactions_missing" };

  test("when it begins behind what the store has applied", async () => {
    const running = await start(data, { "log.segment": 3000 });
    for (let i = 0; i < 3; i++) await feed(running.url, someViews(30));
    await running.close();
    await rm(join(data, "store"), { recursive: true });
    const journal = join(data, "log/journal");
    const [first] = (await readdir(journal)).filter((name) => name.endsWith(".segment")).sort();
    await rm(join(journal, first!));
    await expect(start(data)).rejects.toMatchObject(missing);
    await expect(verifyStore(graph, settingsFor(data))).rejects.toMatchObject(missing);
  });

  test("when it ends before what the store has applied", async () => {
    const before = join(folder.path, "before");
    await (await start(data)).close();
    await cp(join(data, "log"), before, { recursive: true });
    await fill();
    await rm(join(data, "log"), { recursive: true });
    await rename(before, join(data, "log"));
    await expect(start(data)).rejects.toMatchObject(missing);
    await expect(verifyStore(graph, settingsFor(data))).rejects.toMatchObject(missing);
    await rm(join(data, "store"), { recursive: true });
    await (await start(data)).close();
  });
});
