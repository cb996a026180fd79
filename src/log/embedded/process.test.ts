// Real processes on real files: a killed owner loses nothing that it acknowledged, and its lock is gone with it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../core/clock.ts";
import { batchOf, textsOf } from "../conformance-batches.ts";
import { lockFolder } from "./folder-lock.ts";
import { type EmbeddedLog, openEmbeddedLog } from "./log.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-log-"));
});
afterEach(() => rm(folder, { recursive: true }));

function open(): Promise<EmbeddedLog> {
  return openEmbeddedLog({ folder, clock: systemClock, timers: systemTimers });
}

const appender = new URL("../../../test/log/appender.ts", import.meta.url).pathname;

function start(what: string): ChildProcess {
  return spawn(process.execPath, ["--conditions=rdg-source", appender, folder, what], {
    stdio: ["pipe", "pipe", "inherit"],
  });
}

/** Reads lines until `enough` says so, then kills. */
async function killAfter(child: ChildProcess, enough: (lines: readonly string[]) => boolean): Promise<string[]> {
  const lines: string[] = [];
  const exited = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout! })) {
    lines.push(line);
    if (enough(lines)) child.kill("SIGKILL");
  }
  await exited;
  return lines;
}

test("what a killed process has acknowledged is there, at its offset, and its folder can be opened at once", async () => {
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 3; round++) {
    const lines = await killAfter(start("append"), ({ length }) => length > 40 + 30 * round);
    for (const line of lines.slice(1)) {
      const [number, offset] = line.split(" ");
      if (offset !== undefined) acknowledged.set(number!, Number(offset));
    }
  }
  const log = await open();
  const found = new Map<string, number>();
  for await (const frame of log.read({ topics: ["events.hit"], until: [] })) {
    textsOf(frame).forEach((text, i) => found.set(text, frame.firstOffset + i));
  }
  await log.close();
  expect(acknowledged.size).toBeGreaterThan(100);
  for (const [number, offset] of acknowledged) expect([number, found.get(number)]).toEqual([number, offset]);
});

describe("the lock", () => {
  test("keeps a second process out, naming the first, until that is killed", async () => {
    const child = start("hold");
    await once(child.stdout!, "data");
    const error: unknown = await open().catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      kind: "conflict",
      code: "log_locked",
      message: expect.stringContaining(`process ${child.pid}`) as unknown,
    });
    child.kill("SIGKILL");
    await once(child, "exit");
    const log = await open();
    await log.close();
  });

  test("keeps a second opening in the same process out, and is gone after close", async () => {
    const log = await open();
    await expect(open()).rejects.toMatchObject({ kind: "conflict" });
    await log.close();
    expect((await readdir(folder)).filter((name) => name.startsWith("lock"))).toEqual([]);
    await (await open()).close();
  });

  test("goes to one of many that come at once, also when a dead one has to be cleared away", async () => {
    await mkdir(folder, { recursive: true });
    const dead = { pid: 1, host: "elsewhere", socket: "lock-dead.socket" };
    await writeFile(join(folder, "lock.7"), JSON.stringify(dead));
    for (let round = 0; round < 5; round++) {
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
      const won = results.filter((result) => result.status === "fulfilled");
      expect(won.length).toBeLessThanOrEqual(1);
      for (const { value } of won) await value.release();
    }
    const lock = await lockFolder(folder);
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  test("works in a folder with a long path", async () => {
    const deep = join(folder, "d".repeat(120));
    const lock = await lockFolder(deep);
    await expect(lockFolder(deep)).rejects.toMatchObject({ kind: "conflict" });
    await lock.release();
    await (await lockFolder(deep)).release();
    expect(await readdir(deep)).toEqual([]);
  });

  test("that cannot be read is nobody's to take", async () => {
    await writeFile(join(folder, "lock.1"), "{");
    await expect(lockFolder(folder)).rejects.toMatchObject({ kind: "corrupt", code: "lock_damaged" });
  });
});

test("thousands of appends in one group are written whole, more buffers than the system takes at once", async () => {
  const log = await open();
  await log.ensureTopics([{ name: "events.hit", form: "records", partitions: 1, retention: {} }]);
  const producer = await log.producer("p");
  const values = Array.from({ length: 3000 }, (_, i) => `value ${i}`);
  await Promise.all(values.map((value) => producer.append("events.hit", 0, batchOf([value]))));
  expect(log.statistics().syncs).toBeLessThan(5);
  await log.close();
  const again = await open();
  const found: string[] = [];
  for await (const frame of again.read({ topics: ["events.hit"], until: [] })) found.push(...textsOf(frame));
  expect(found).toEqual(values);
  await again.close();
});

test("files are private to their owner", async () => {
  const log = await open();
  await log.ensureTopics([{ name: "events.hit", form: "records", partitions: 1, retention: {} }]);
  const { stat } = await import("node:fs/promises");
  for (const path of [
    "metadata",
    "journal/0000000000000000.segment",
    "records/events.hit/0/0000000000000000.segment",
  ]) {
    expect((await stat(join(folder, path))).mode & 0o077).toBe(0);
  }
  await log.close();
});
