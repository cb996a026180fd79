// The audit log: what is written stays, in order, bounded, readable after a crash, and without anything that was longer than it should be.
import { mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AuditEntry, AuditLog, type AuditRecord, readAudit } from "../../src/serve/auth/audit-log.ts";
import { ManualTime } from "../log/manual-time.ts";

let data: string;
const time = new ManualTime(Date.UTC(2026, 10, 21));
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "rdg-audit-"));
});
afterEach(() => rm(data, { recursive: true, force: true }));

const open = (options: { fileBytesMax?: number; filesMax?: number } = {}): AuditLog =>
  new AuditLog({ data, clock: time, fileBytesMax: 1_000_000, filesMax: 3, ...options });
const entry = (target: string): AuditEntry => ({
  event: "admin.begun",
  who: { id: "key:1", name: "ops" },
  operation: "POST /v1/store/verify",
  target,
});
async function read(): Promise<(AuditRecord | undefined)[]> {
  const records = [];
  for await (const record of readAudit(data)) records.push(record);
  return records;
}

test("records come back in order, from several processes, after a restart, with their time", async () => {
  const [one, other] = [open(), open()];
  await one.record(entry("a"));
  await other.record(entry("b"));
  await Promise.all(["c", "d", "e"].map((target) => one.record(entry(target))));
  await one.close();
  await open().record(entry("f"));
  const records = await read();
  expect(records.map((record) => record?.target)).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(records[0]).toEqual({ at: "2026-11-21T00:00:00.000Z", ...entry("a") });
  const path = join(data, "audit", "audit.ndjson");
  expect((await readFile(path, "utf8")).split("\n")[0]).toBe('{"format":"rdg-audit","version":1}');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("what two write at the same time does not mix", async () => {
  const [one, other] = [open({ fileBytesMax: 3_000, filesMax: 1_000 }), open({ fileBytesMax: 3_000, filesMax: 1_000 })];
  const targets = Array.from({ length: 60 }, (_, i) => `${i}`);
  await Promise.all(targets.map((target, i) => (i % 2 === 0 ? one : other).record(entry(target))));
  const found = (await read()).map((record) => Number(record?.target)).sort((a, b) => a - b);
  expect(found).toEqual(targets.map(Number));
});

test("files end at their size, and the oldest go", async () => {
  const log = open({ fileBytesMax: 1_000, filesMax: 3 });
  for (let i = 0; i < 40; i++) {
    await log.record(entry(`${i}`));
    time.advance(1);
  }
  const names = await readdir(join(data, "audit"));
  expect(names.length).toBeLessThanOrEqual(3);
  for (const name of names) expect((await stat(join(data, "audit", name))).size).toBeLessThan(1_300);
  const targets = (await read()).map((record) => Number(record!.target));
  expect(targets.at(-1)).toBe(39);
  expect(targets).toEqual(targets.map((_, i) => targets[0]! + i));
});

test("a line that a crash cut off swallows nothing that comes after it", async () => {
  await open().record(entry("whole"));
  await open().record(entry("cut off"));
  const path = join(data, "audit", "audit.ndjson");
  await truncate(path, (await stat(path)).size - 20);
  await open().record(entry("after"));
  expect((await read()).map((record) => record?.target)).toEqual(["whole", undefined, "after"]);
});

test("a log that cannot be written says so, and goes on when it can again", async () => {
  await writeFile(join(data, "audit"), "in the way");
  const log = open();
  await expect(log.record(entry("lost"))).rejects.toMatchObject({ kind: "unavailable", code: "audit_failed" });
  await rm(join(data, "audit"));
  await log.record(entry("kept"));
  expect((await read()).map((record) => record?.target)).toEqual(["kept"]);
});

test("more than a thousand waiting records are refused; long texts are cut", async () => {
  const log = open();
  const all = await Promise.allSettled(Array.from({ length: 1_100 }, () => log.record(entry("x".repeat(5_000)))));
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1_000);
  expect(log.waiting).toBe(0);
  expect((await read())[0]!.target).toHaveLength(503);
});
