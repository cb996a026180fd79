// The settings of a cache server, and what is made of them: for processes whose store is elsewhere.
import { readFile } from "node:fs/promises";
import { RdgError } from "../../core/errors.ts";
import type { SettingList, SettingValues } from "../../core/settings.ts";

export const cacheServerSettings = {
  "cache.url": {
    kind: "text",
    default: "",
    description: "Valkey or Redis that serving processes share, redis://host:6379/0, or rediss:// with TLS; else none.",
  },
  "cache.username": { kind: "text", default: "", description: "Name that RDG logs in at the cache server with." },
  "cache.password": { kind: "text", default: "", secret: true, description: "Its password." },
  "cache.ca": {
    kind: "text",
    default: "",
    description: "File with the certificates, as PEM, that the cache server's is held to; else what Node trusts.",
  },
  "cache.cert": { kind: "text", default: "", description: "File with the certificate shown to it, as PEM." },
  "cache.key": { kind: "text", default: "", description: "File with the key of that certificate, as PEM." },
  "cache.prefix": {
    kind: "text",
    default: "",
    description: "Stands before every key: needed where several logs or environments share a cache server.",
  },
  "cache.timeout": {
    kind: "duration",
    default: 20,
    min: 1,
    max: 10_000,
    description: "Longest wait for one answer of the cache server.",
  },
  "cache.budget": {
    kind: "duration",
    default: 50,
    min: 1,
    max: 60_000,
    description: "Longest wait of one request for the cache server in all; then the store alone is asked.",
  },
  "cache.value": {
    kind: "size",
    default: 65_536,
    min: 100,
    max: 1_000_000,
    description: "Largest element that is put there: a node, or the newest edges of one.",
  },
} as const satisfies SettingList;

export type CacheServerSettings = SettingValues<typeof cacheServerSettings>;

export interface RedisConnection {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
  /** Missing: not encrypted. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** Undefined where no cache server is named. @throws RdgError invalid, `bad_setting` */
export async function redisConnectionOf(settings: CacheServerSettings): Promise<RedisConnection | undefined> {
  const { "cache.url": written, "cache.username": username, "cache.password": password } = settings;
  const pems = ["cache.ca", "cache.cert", "cache.key"] as const;
  const given = pems.filter((name) => settings[name] !== "");
  if (written === "") {
    const unused = [...given, ...(username === "" ? [] : ["cache.username"])][0];
    if (unused === undefined) return undefined;
    throw bad(unused, "is set although there is no cache.url", "Say where the cache server is.");
  }
  const url = URL.parse(written);
  const database = /^\/?(\d{0,4})$/.exec(url?.pathname ?? "-");
  const isRedis = url?.protocol === "redis:" || url?.protocol === "rediss:";
  if (url === null || !isRedis || url.hostname === "" || database === null || url.search + url.hash !== "") {
    throw bad("cache.url", "is no address of a cache server", "Write redis://host:6379/0, or rediss:// for TLS.");
  }
  if (url.username + url.password !== "") {
    throw bad("cache.url", "has a name or password in it", "Set cache.username and cache.password instead.");
  }
  const isEncrypted = url.protocol === "rediss:";
  if (given[0] !== undefined && !isEncrypted)
    throw bad(given[0], "is set although cache.url is not rediss://", undefined);
  if (username !== "" && password === "") throw bad("cache.password", "is missing", "Set RDG_CACHE_PASSWORD.");
  const tls = Object.fromEntries(
    await Promise.all(given.map(async (name) => [name.slice("cache.".length), await pem(name, settings[name])])),
  ) as NonNullable<RedisConnection["tls"]>;
  return {
    host: url.hostname.replaceAll(/[[\]]/g, ""),
    port: Number(url.port || 6379),
    database: Number(database[1]),
    ...(username !== "" && { username }),
    ...(password !== "" && { password }),
    ...(isEncrypted && { tls }),
  };
}

async function pem(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new RdgError("invalid", "bad_setting", `The file of the setting "${name}" cannot be read.`, {
      place: path,
      hint: "Check the path, and whether the file may be read.",
      cause,
    });
  }
}

function bad(setting: string, what: string, hint: string | undefined): RdgError {
  return new RdgError("invalid", "bad_setting", `Setting "${setting}" ${what}.`, { place: setting, hint });
}
