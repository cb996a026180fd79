// The public keys (JWKS, RFC 7517) that tokens are signed with, from a URL or a file: fetched ahead, kept when the issuer does not answer, renewed for new keys.
import { readFile } from "node:fs/promises";
import { type JSONWebKeySet, createLocalJWKSet } from "jose";
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";

const refreshUrlMs = 5 * 60_000;
const refreshFileMs = 5_000;
/** Tokens with unknown keys cause no more than one look per this time. */
const lookGapUrlMs = 10_000;
const lookGapFileMs = 1_000;
const fetchTimeoutMs = 5_000;
const bytesMax = 1_000_000;
const keysMax = 1_000;
/** Keys that the issuer has not confirmed for so long count no more: whoever stole one could keep the issuer out of sight. */
const unconfirmedMaxMs = 24 * 3_600_000;

export type KeySet = ReturnType<typeof createLocalJWKSet>;

export interface JwksOptions {
  /** `https://...`, `http://` of this machine, or a path. */
  readonly location: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Told when the keys cannot be had, and when they can again (undefined). */
  readonly notice: (error: RdgError | undefined) => void;
}

export class Jwks {
  readonly #options: JwksOptions;
  readonly #isUrl: boolean;
  #keys: KeySet | undefined;
  #text = "";
  #generation = 0;
  #confirmedMs = -Infinity;
  #lookedMs = -Infinity;
  #looking: Promise<void> | undefined;
  #failure: RdgError | undefined;
  #cancel: () => void = () => undefined;
  #closed = false;

  /** @throws RdgError invalid, `bad_jwks_location` */
  constructor(options: JwksOptions) {
    this.#options = options;
    this.#isUrl = checkedIsUrl(options.location);
  }

  /** Changes with the keys: what was verified with another one must be verified again. */
  get generation(): number {
    return this.#generation;
  }

  /** Looks for the first time; an issuer that does not answer is no reason not to start. @throws RdgError when a file is not usable */
  async open(): Promise<void> {
    await this.#look();
    if (!this.#isUrl && this.#failure !== undefined) throw this.#failure;
    this.#again();
  }

  /** Looks at the issuer's keys now. Never rejects. */
  async look(): Promise<void> {
    await this.#looking;
    await this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  /** @throws RdgError unavailable, `jwks_unreachable`, with the cause */
  async current(): Promise<KeySet> {
    if (!this.#isFresh()) await this.#lookAfterGap(1_000);
    if (this.#keys !== undefined && this.#isFresh()) return this.#keys;
    throw new RdgError("unavailable", "jwks_unreachable", "The keys that tokens are verified with cannot be had.", {
      place: "auth.jwks",
      hint: `${this.#failure?.message ?? ""} API keys are not concerned.`.trim(),
      cause: this.#failure,
      retryAfterMs: 5_000,
    });
  }

  /** For a token whose key is not there: the issuer may have begun to use a new one. Resolves with undefined where that was looked at a moment ago. */
  async renewed(): Promise<KeySet | undefined> {
    const before = this.#generation;
    await this.#lookAfterGap(this.#isUrl ? lookGapUrlMs : lookGapFileMs);
    return this.#generation === before ? undefined : this.#keys;
  }

  /** Of issuers that do not answer for a day. */
  #isFresh(): boolean {
    return this.#keys !== undefined && this.#options.clock.monotonicMs() - this.#confirmedMs < unconfirmedMaxMs;
  }

  async #lookAfterGap(gapMs: number): Promise<void> {
    if (this.#looking === undefined && this.#options.clock.monotonicMs() - this.#lookedMs < gapMs) return;
    await this.#look();
  }

  #look(): Promise<void> {
    return (this.#looking ??= this.#renew().finally(() => {
      this.#looking = undefined;
    }));
  }

  async #renew(): Promise<void> {
    const { clock, location, notice } = this.#options;
    this.#lookedMs = clock.monotonicMs();
    try {
      const text = this.#isUrl ? await this.#fetch() : await readFile(location, "utf8");
      if (text !== this.#text || this.#keys === undefined) {
        this.#keys = createLocalJWKSet(keySetOf(text));
        this.#text = text;
        this.#generation++;
      }
      this.#confirmedMs = clock.monotonicMs();
      if (this.#failure !== undefined) notice(undefined);
      this.#failure = undefined;
    } catch (error) {
      const isFirst = this.#failure === undefined;
      this.#failure = new RdgError("unavailable", "jwks_unreachable", `The JWKS is not usable: ${reasonOf(error)}.`, {
        place: location,
        hint: "See whether the address answers with a JSON Web Key Set from this machine.",
        cause: error,
      });
      if (isFirst) notice(this.#failure);
    }
  }

  async #fetch(): Promise<string> {
    const { location, timers } = this.#options;
    const abort = new AbortController();
    const cancel = timers.after(fetchTimeoutMs, () => abort.abort(new Error(`no answer in ${fetchTimeoutMs} ms`)));
    try {
      const ask = this.#options.fetch ?? ((url, init) => fetch(url, init));
      // A redirect could lead to where somebody else decides on the keys.
      const response = await ask(location, {
        headers: { accept: "application/jwk-set+json, application/json" },
        redirect: "error",
        signal: abort.signal,
      });
      if (response.status !== 200) throw new Error(`it answers ${response.status}`);
      return await textOf(response);
    } finally {
      cancel();
    }
  }

  #again(): void {
    if (this.#closed) return;
    const delayMs = !this.#isUrl ? refreshFileMs : this.#failure === undefined ? refreshUrlMs : lookGapUrlMs;
    this.#cancel = this.#options.timers.after(delayMs, () => void this.#look().finally(() => this.#again()));
  }
}

/** Keys that came unencrypted could be anybody's. */
function checkedIsUrl(location: string): boolean {
  const url = /^[a-z][a-z0-9+.-]+:/i.test(location) ? URL.parse(location) : null;
  if (url === null || url.protocol === "https:") return url !== null;
  if (url.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname)) return true;
  throw new RdgError("invalid", "bad_jwks_location", "The JWKS would be fetched unencrypted.", {
    place: "auth.jwks",
    hint: "Give an https URL, or the path of a file.",
  });
}

async function textOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    if (bytes > bytesMax) throw new Error(`it has more than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function keySetOf(text: string): JSONWebKeySet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
  const keys = (value as { readonly keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) throw new Error('it has no "keys"');
  if (keys.length > keysMax) throw new Error(`it has more than ${keysMax} keys`);
  // A symmetric key in a public place is no key.
  return { keys: keys.filter((key) => typeof key === "object" && key !== null && key.kty !== "oct") };
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== "" ? `${message} (${cause.message})` : message;
}
