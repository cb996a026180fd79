// One API key: what its holder sends, and what is kept of it.
//
// At rest there is a plain SHA-256 of the key. A slow hash is for passwords, which can be guessed: a key has 200 random bits, which nobody tries through,
// and a hash of milliseconds on every request would be a way to keep the server busy.
import { hash, timingSafeEqual } from "node:crypto";
import { RdgError } from "../../core/errors.ts";
import { secretBytes } from "../../core/random.ts";
import type { Principal, RateLimits } from "./port.ts";
import { grantsOf } from "./scopes.ts";

const format = "rdg-api-key";
const version = 1;
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const idLength = 12;
const secretLength = 40;
const keyPattern = /^rdg_(?<id>[0-9a-hjkmnp-tv-z]{12})_[0-9a-hjkmnp-tv-z]{40}$/;
const namePattern = /^[\p{L}\p{N}][\p{L}\p{N} ._@/-]{0,99}$/u;
/** Ends the names of files with a key. */
export const keyFileEnding = ".json";

/** What is known of a key, all but the key. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  /** Not valid from then on. */
  readonly expiresAt?: string | undefined;
  readonly limits?: RateLimits | undefined;
}

interface StoredKey extends ApiKey {
  readonly format: typeof format;
  readonly version: typeof version;
  /** Of the whole key, in hexadecimal. */
  readonly sha256: string;
}

export type NewApiKey = Pick<ApiKey, "name" | "scopes" | "expiresAt" | "limits">;

/** `secret` is the key itself: shown once, kept nowhere. @throws RdgError invalid: `bad_scope`, `bad_key_name`, `bad_expiry` */
export function makeApiKey(wanted: NewApiKey, nowMs: number): { secret: string; key: ApiKey; file: string } {
  if (!namePattern.test(wanted.name)) {
    throw new RdgError("invalid", "bad_key_name", "This cannot be the name of a key.", {
      place: "name",
      hint: "Take 1 to 100 letters, digits, spaces and . _ @ / -, such as `ingest of playback`.",
    });
  }
  if (wanted.scopes.length === 0) {
    throw new RdgError("invalid", "bad_scope", "A key without a scope opens nothing.", {
      place: "scopes",
      hint: "Give one or more of read, read:<type>, produce, produce:<event>, observe, admin.",
    });
  }
  grantsOf(wanted.scopes, "scopes");
  if (wanted.expiresAt !== undefined && !(Date.parse(wanted.expiresAt) > nowMs)) {
    throw new RdgError("invalid", "bad_expiry", "The key would have expired already.", { place: "expiresAt" });
  }
  const id = randomText(idLength);
  const secret = `rdg_${id}_${randomText(secretLength)}`;
  const key: ApiKey = {
    id,
    name: wanted.name,
    scopes: [...new Set(wanted.scopes)],
    createdAt: new Date(nowMs).toISOString(),
    ...(wanted.expiresAt === undefined ? {} : { expiresAt: wanted.expiresAt }),
    ...(wanted.limits === undefined ? {} : { limits: wanted.limits }),
  };
  const stored: StoredKey = { format, version, ...key, sha256: hash("sha256", secret, "hex") };
  return { secret, key, file: `${JSON.stringify(stored, null, 2)}\n` };
}

/** The id within a key; undefined when the text does not have the form of a key. */
export function idOfKey(secret: string): string | undefined {
  return keyPattern.exec(secret)?.groups?.["id"];
}

/** A kept key, ready to be compared with what requests bring. */
export class KnownKey {
  readonly key: ApiKey;
  readonly principal: Principal;
  readonly expiresMs: number;
  readonly #digest: Buffer;

  constructor(stored: StoredKey, place: string) {
    const { id, name, scopes, createdAt, expiresAt, limits } = stored;
    this.key = { id, name, scopes, createdAt, expiresAt, limits };
    this.principal = Object.freeze({ kind: "key", id: `key:${id}`, name, grants: grantsOf(scopes, place), limits });
    this.expiresMs = expiresAt === undefined ? Infinity : Date.parse(expiresAt);
    this.#digest = Buffer.from(stored.sha256, "hex");
  }

  /** Takes the same time for every key of the form. */
  is(secret: string): boolean {
    return timingSafeEqual(hash("sha256", secret, "buffer"), this.#digest);
  }
}

/** @throws RdgError corrupt with the file's path, also for a format that only a later version knows */
export function readKeyFile(text: string, path: string): KnownKey {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(path, "it is not JSON");
  }
  const stored = (typeof value === "object" && value !== null ? value : {}) as Partial<StoredKey>;
  if (stored.format !== format) throw damaged(path, "it is not a key of RDG");
  if (stored.version !== version)
    throw damaged(path, `its version is ${JSON.stringify(stored.version)}, not ${version}`);
  const { id, name, scopes, createdAt, expiresAt, sha256, limits } = stored;
  const isWhole =
    typeof id === "string" &&
    id.length === idLength &&
    typeof name === "string" &&
    typeof createdAt === "string" &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === "string") &&
    (expiresAt === undefined || (typeof expiresAt === "string" && !Number.isNaN(Date.parse(expiresAt)))) &&
    (limits === undefined || isLimits(limits)) &&
    typeof sha256 === "string" &&
    /^[0-9a-f]{64}$/.test(sha256);
  if (!isWhole) throw damaged(path, "a member is missing or has a value that it cannot have");
  return new KnownKey(stored as StoredKey, path);
}

function isLimits(value: unknown): value is RateLimits {
  if (typeof value !== "object" || value === null) return false;
  const isRate = (rate: unknown): boolean => rate === undefined || (Number.isSafeInteger(rate) && (rate as number) > 0);
  const { requestsPerSecond, scannedPerSecond } = value as Record<string, unknown>;
  return isRate(requestsPerSecond) && isRate(scannedPerSecond);
}

function damaged(path: string, why: string): RdgError {
  return new RdgError("corrupt", "bad_key_file", `This key cannot be used: ${why}.`, {
    place: path,
    hint: "Delete the file and make a new key with `rdg keys create`.",
  });
}

/** 5 bits a character. */
function randomText(length: number): string {
  return Array.from(secretBytes(length), (byte) => alphabet[byte % alphabet.length]!).join("");
}
