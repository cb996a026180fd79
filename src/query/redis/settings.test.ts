// What the settings of a cache server are made into, and which are refused by name.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { resolveSettings } from "../../core/settings.ts";
import { cacheServerSettings, redisConnectionOf } from "./settings.ts";

const connectionOf = (written: Readonly<Record<string, string>>) =>
  redisConnectionOf(resolveSettings(cacheServerSettings, { flags: written }).values);

describe("settings of a cache server", () => {
  test("name none unless there is an address", async () => {
    expect(await connectionOf({})).toBeUndefined();
    expect(await connectionOf({ "cache.password": "left from elsewhere" })).toBeUndefined();
  });

  test("say where it is, and how to log in", async () => {
    expect(await connectionOf({ "cache.url": "redis://cache.example" })).toEqual({
      host: "cache.example",
      port: 6379,
      database: 0,
    });
    expect(
      await connectionOf({ "cache.url": "redis://[::1]:7000/12", "cache.username": "rdg", "cache.password": "p" }),
    ).toEqual({ host: "::1", port: 7000, database: 12, username: "rdg", password: "p" });
  });

  test("say how connections are encrypted", async () => {
    const folder = await mkdtemp(join(tmpdir(), "rdg-redis-"));
    try {
      const ca = join(folder, "ca.pem");
      await writeFile(ca, "PEM");
      const secure = { "cache.url": "rediss://cache.example:6380" };
      expect(await connectionOf(secure)).toMatchObject({ port: 6380, tls: {} });
      expect(await connectionOf({ ...secure, "cache.ca": ca })).toMatchObject({ tls: { ca: "PEM" } });
      const missing = connectionOf({ ...secure, "cache.key": join(folder, "none") });
      await expect(missing).rejects.toMatchObject({
        kind: "invalid",
        code: "bad_setting",
        place: join(folder, "none"),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([
    ["cache.url", { "cache.url": "cache.example:6379" }],
    ["cache.url", { "cache.url": "http://cache.example" }],
    ["cache.url", { "cache.url": "redis://" }],
    ["cache.url", { "cache.url": "redis://cache.example/zero" }],
    ["cache.url", { "cache.url": "redis://cache.example?db=1" }],
    ["cache.url", { "cache.url": "redis://:secret@cache.example" }],
    ["cache.username", { "cache.username": "rdg" }],
    ["cache.password", { "cache.url": "redis://cache.example", "cache.username": "rdg" }],
    ["cache.ca", { "cache.url": "redis://cache.example", "cache.ca": "ca.pem" }],
    ["cache.cert", { "cache.cert": "cert.pem" }],
  ])("that make no sense are refused, naming %s: %j", async (place, written) => {
    const refused = connectionOf(written);
    await expect(refused).rejects.toMatchObject({ kind: "invalid", code: "bad_setting", place });
    await expect(refused).rejects.not.toThrow("secret");
  });
});
