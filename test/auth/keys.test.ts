// API keys: what is written of them, what is taken up from the folder while a server runs, and what is refused.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemTimers } from "../../src/core/clock.ts";
import { type RdgError, describeError } from "../../src/core/errors.ts";
import { KeyFolder } from "../../src/serve/auth/key-folder.ts";
import { KeyRing } from "../../src/serve/auth/key-ring.ts";
import { ManualTime } from "../log/manual-time.ts";

const startMs = Date.UTC(2026, 10, 21);
let data: string;
let folder: KeyFolder;
let time: ManualTime;
let ring: KeyRing;
let noticed: unknown[];

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "rdg-keys-"));
  folder = new KeyFolder(data);
  time = new ManualTime(startMs);
  noticed = [];
  // Looks wait for real moments; what the test decides is what time the keys see.
  const timers = { after: time.after.bind(time), sleep: systemTimers.sleep.bind(systemTimers) };
  ring = new KeyRing({ folder, clock: time, timers, notice: (error) => noticed.push(error) });
});
afterEach(async () => {
  ring.close();
  await rm(data, { recursive: true, force: true });
});

const create = (scopes: readonly string[] = ["read"], more: { expiresAt?: string } = {}) =>
  folder.create({ name: "test", scopes, ...more }, time.now());
const refusal = async (secret: string): Promise<RdgError> => {
  try {
    await ring.authenticate(secret);
  } catch (error) {
    return error as RdgError;
  }
  throw new Error("it was let in");
};

describe("the folder", () => {
  test("holds a file per key, for its owner only, with the hash and not the key", async () => {
    const { secret, key } = await create(["read:watched", "produce", "produce"]);
    const path = join(data, "keys", "api", `${key.id}.json`);
    const text = await readFile(path, "utf8");
    expect(JSON.parse(text)).toEqual({
      format: "rdg-api-key",
      version: 1,
      id: key.id,
      name: "test",
      scopes: ["read:watched", "produce"],
      createdAt: "2026-11-21T00:00:00.000Z",
      sha256: createHash("sha256").update(secret).digest("hex"),
    });
    expect(secret).toMatch(/^rdg_[0-9a-z]{12}_[0-9a-z]{40}$/);
    expect(text).not.toContain(secret.split("_")[2]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
    expect(await readdir(folder.path)).toEqual([`${key.id}.json`]);
  });

  test("takes keys that are made at once", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => create()));
    await ring.open();
    const principals = await Promise.all(made.map(async ({ secret }) => ring.authenticate(secret)));
    expect(principals.map(({ id }) => id)).toEqual(made.map(({ key }) => `key:${key.id}`));
    expect(new Set(made.map(({ secret }) => secret)).size).toBe(20);
  });

  test.each([
    ["no scope", { name: "a", scopes: [] }, "bad_scope"],
    ["a misspelt scope", { name: "a", scopes: ["raed"] }, "bad_scope"],
    ["a type without a name", { name: "a", scopes: ["read:"] }, "bad_scope"],
    ["a name with a line break", { name: "a\nb", scopes: ["read"] }, "bad_key_name"],
    ["no name", { name: "", scopes: ["read"] }, "bad_key_name"],
    ["an end that is past", { name: "a", scopes: ["read"], expiresAt: "2026-11-20T00:00:00Z" }, "bad_expiry"],
    ["an end that is no time", { name: "a", scopes: ["read"], expiresAt: "tomorrow" }, "bad_expiry"],
  ])("refuses a key with %s, and writes nothing", async (_, wanted, code) => {
    await expect(folder.create(wanted, time.now())).rejects.toMatchObject({ code });
    expect(await folder.names()).toEqual([]);
  });

  test.each(["", "nobody", "../../continuation", "0123456789ab/..", "a.json"])(
    "has no key %j to revoke",
    async (id) => {
      await expect(folder.revoke(id)).rejects.toMatchObject({ code: "unknown_key" });
    },
  );
});

describe("a running server", () => {
  test("knows a key that is made later at once, and a revoked one no more after a second", async () => {
    await ring.open();
    const { secret, key } = await create(["produce:playback"]);
    const principal = await ring.authenticate(secret);
    expect(principal).toMatchObject({ kind: "key", id: `key:${key.id}`, name: "test" });
    expect(principal.grants).toEqual({ admin: false, observe: false, read: new Set(), produce: new Set(["playback"]) });
    // Known keys are decided without waiting for anything.
    expect(ring.authenticate(secret)).toBe(principal);
    await folder.revoke(key.id);
    time.advance(1_000);
    await expect.poll(() => ring.size).toBe(0);
    expect(await refusal(secret)).toMatchObject({ kind: "unauthorized", code: "bad_credentials" });
  });

  test("refuses a key from when it expires on, and says so to its holder only", async () => {
    const { secret } = await create(["read"], { expiresAt: new Date(startMs + 10_000).toISOString() });
    await ring.open();
    time.jumpTo(startMs + 9_999);
    expect(await ring.authenticate(secret)).toMatchObject({ kind: "key" });
    time.jumpTo(startMs + 10_000);
    expect((await refusal(secret)).message).toContain("expired");
    const wrong = `${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}`;
    expect((await refusal(wrong)).message).not.toContain("expired");
  });

  test("tells wrong, unknown and malformed keys nothing, least of all the key", async () => {
    const { secret } = await create();
    await ring.open();
    const [, id, rest] = secret.split("_") as [string, string, string];
    const other = (text: string): string => (text.startsWith("0") ? "1" : "0") + text.slice(1);
    const wrong = await refusal(`rdg_${id}_${other(rest)}`);
    const unknown = await refusal(`rdg_${other(id)}_${rest}`);
    expect(wrong).toEqual(unknown);
    for (const text of [
      secret.toUpperCase(),
      `${secret}0`,
      secret.slice(0, -1),
      "rdg_",
      `rdg_${id}`,
      "rdg___",
      secret.replace("_", "-"),
    ]) {
      const error = await refusal(text);
      expect(error.code).toBe("bad_credentials");
      expect(describeError(error)).not.toContain(rest);
    }
    expect(await ring.authenticate(secret)).toMatchObject({ kind: "key" });
  });

  test("goes on with the keys that it knows while the folder cannot be read, and says so once", async () => {
    const { secret, key } = await create();
    let broken = false;
    class BrokenFolder extends KeyFolder {
      override async names(): Promise<string[]> {
        if (broken) throw new Error("EIO");
        return super.names();
      }
    }
    folder = new BrokenFolder(data);
    ring = new KeyRing({ folder, clock: time, timers: systemTimers, notice: (error) => noticed.push(error) });
    await ring.open();
    broken = true;
    for (let i = 0; i < 3; i++) await refusal(`rdg_${"0".repeat(12)}_${"0".repeat(40)}`);
    expect(await ring.authenticate(secret)).toMatchObject({ id: `key:${key.id}` });
    expect(noticed).toEqual([new Error("EIO")]);
  });

  test("leaves out files that are not keys, says so once, and takes all others", async () => {
    const { secret, key } = await create();
    const good = await readFile(join(folder.path, `${key.id}.json`), "utf8");
    const files: Record<string, string> = {
      "cut.json": good.slice(0, 40),
      "empty.json": "",
      "list.json": "[]",
      "null.json": "null",
      "later.json": good.replace('"version": 1', '"version": 2'),
      "other.json": good.replace("rdg-api-key", "something"),
      "renamed.json": good,
      "scopes.json": good.replace('"read"', '"everything"'),
      "hash.json": good.replace(/"sha256": ".{4}/, '"sha256": "zzzz'),
      "expiry.json": good.replace('"sha256"', '"expiresAt": "never", "sha256"'),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder.path, name), text);
    await writeFile(join(folder.path, "unfinished.json.tmp"), good);
    await ring.open();
    expect(ring.size).toBe(1);
    expect(await ring.authenticate(secret)).toMatchObject({ kind: "key" });
    const places = noticed.map((error) => (error as RdgError).place!.split("/").at(-1)!);
    expect(new Set(places)).toEqual(new Set(Object.keys(files)));
    expect(places).toHaveLength(Object.keys(files).length);
    time.advance(1_000);
    await refusal(`rdg_${"0".repeat(12)}_${"0".repeat(40)}`);
    expect(noticed).toHaveLength(Object.keys(files).length);
    expect(noticed.map(describeError).join("\n")).toContain("version is 2");
  });
});
