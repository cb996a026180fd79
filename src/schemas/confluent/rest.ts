// Requests to a registry's REST API: one connection pool, a time-out per attempt, repeated with back-off where that cannot do harm, the next address when one fails.
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import { isTransient, type Refusal } from "./failures.ts";
import type { ConfluentAuth, ConfluentConnection, ConfluentSettings } from "./settings.ts";

const contentType = "application/vnd.schemaregistry.v1+json";
const answerBytesMax = 16 * 1024 * 1024;
const backOffMs = { first: 50, most: 2_000 };

export interface RestOptions {
  readonly connection: ConfluentConnection;
  readonly settings: ConfluentSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below the API's address: `/subjects/orders-value`. */
  readonly path: string;
  readonly body?: object;
  /** Whether a second time does what once does. */
  readonly repeatable: boolean;
}

export type Answer = { readonly value: unknown } | { readonly refusal: Refusal };

interface Address {
  readonly url: URL;
  readonly auth: ConfluentAuth | undefined;
}

export class RegistryRest {
  readonly #options: RestOptions;
  readonly #addresses: readonly Address[];
  readonly #plain: HttpAgent;
  readonly #secure: HttpsAgent;
  readonly #closed = new AbortController();
  /** Of the address that answered last. */
  #current = 0;

  constructor(options: RestOptions) {
    this.#options = options;
    this.#addresses = addressesOf(options.connection);
    const { ca, cert, key, passphrase, serverName } = options.connection.tls ?? {};
    const pool = { keepAlive: true, maxSockets: options.settings.connectionsMax };
    this.#plain = new HttpAgent(pool);
    this.#secure = new HttpsAgent({
      ...pool,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(passphrase !== undefined && { passphrase }),
      ...(serverName !== undefined && { servername: serverName }),
    });
  }

  /** @throws RdgError closed */
  async call(call: Call): Promise<Answer> {
    const { clock, timers, settings } = this.#options;
    const sinceMs = clock.monotonicMs();
    for (let delayMs = backOffMs.first; ; delayMs = Math.min(2 * delayMs, backOffMs.most)) {
      const answer = await this.#attemptAnywhere(call);
      if (!("refusal" in answer) || !isTransient(answer.refusal)) return answer;
      const waitMs = Math.max(answer.refusal.retryAfterMs ?? 0, delayMs / 2 + this.#options.random.below(delayMs / 2));
      // 429 says that nothing was done.
      if (!call.repeatable && answer.refusal.status !== 429) return answer;
      if (clock.monotonicMs() - sinceMs + waitMs > settings.retryForMs) return answer;
      await timers.sleep(waitMs, this.#closed.signal);
    }
  }

  close(): void {
    this.#closed.abort(registryClosed());
    this.#plain.destroy();
    this.#secure.destroy();
  }

  /** Every address once, where the call may be repeated. */
  async #attemptAnywhere(call: Call): Promise<Answer> {
    let answer: Answer | undefined;
    for (let i = 0; i < (call.repeatable ? this.#addresses.length : 1); i++) {
      if (this.#closed.signal.aborted) throw registryClosed();
      answer = await this.#attempt(call, this.#addresses[this.#current]!);
      if (this.#closed.signal.aborted) throw registryClosed();
      if (!("refusal" in answer) || !isTransient(answer.refusal)) break;
      this.#current = (this.#current + 1) % this.#addresses.length;
    }
    return answer!;
  }

  async #attempt(call: Call, { url, auth }: Address): Promise<Answer> {
    const secure = url.protocol === "https:";
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const headers = {
      accept: contentType,
      ...(body !== undefined && { "content-type": contentType, "content-length": body.length }),
      ...(await authorization(auth)),
    };
    const options: RequestOptions = {
      method: call.method,
      agent: secure ? this.#secure : this.#plain,
      headers,
      signal: this.#closed.signal,
    };
    const target = new URL(url.pathname.replace(/\/$/, "") + call.path, url);
    const send = secure ? httpsRequest : httpRequest;
    return await new Promise<Answer>((resolve) => {
      const request = send(target, options);
      const finish = (answer: Answer): void => {
        cancel();
        resolve(answer);
      };
      const failed = (error: Error): void => finish({ refusal: { status: 0, code: 0, message: reasonOf(error, url) } });
      const { timeoutMs } = this.#options.settings;
      const cancel = this.#options.timers.after(timeoutMs, () =>
        request.destroy(new Error(`there was no answer within ${timeoutMs} ms`)),
      );
      request.on("error", failed);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          size += chunk.length;
          if (size > answerBytesMax) response.destroy(new Error(`the answer is larger than ${answerBytesMax} bytes`));
        });
        response.on("error", failed);
        response.on("end", () =>
          finish(answerOf(response.statusCode ?? 0, Buffer.concat(chunks).toString(), response.headers["retry-after"])),
        );
      });
      request.end(body);
    });
  }
}

export function registryClosed(): RdgError {
  return new RdgError("closed", "registry_closed", "The schema registry is closed.");
}

function addressesOf({ urls, auth }: ConfluentConnection): readonly Address[] {
  const addresses = urls.map((text): Address => {
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol)) throw badAddress("is not an http or https address");
    const { username, password } = url;
    url.username = "";
    url.password = "";
    const inUrl =
      username === "" ? undefined : { username: decodeURIComponent(username), password: decodeURIComponent(password) };
    return { url, auth: auth ?? inUrl };
  });
  if (addresses.length === 0) throw badAddress("is missing");
  return addresses;
}

function badAddress(what: string): RdgError {
  return new RdgError("invalid", "bad_registry_url", `The address of the registry ${what}.`, {
    hint: "Give that of its REST API, for example https://registry.example:8081.",
  });
}

async function authorization(auth: ConfluentAuth | undefined): Promise<{ readonly authorization?: string }> {
  if (auth === undefined) return {};
  if ("username" in auth) {
    return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}` };
  }
  return { authorization: `Bearer ${typeof auth.token === "string" ? auth.token : await auth.token()}` };
}

/** Without what a user may have written into the address. */
function reasonOf(error: Error, url: URL): string {
  const code = (error as NodeJS.ErrnoException).code;
  const inner = error instanceof AggregateError ? (error.errors[0] as Error | undefined)?.message : undefined;
  return `${url.origin} ${code === undefined ? "failed" : `failed with ${code}`}: ${inner ?? error.message}`;
}

function answerOf(status: number, text: string, retryAfter: string | undefined): Answer {
  let value: unknown;
  try {
    value = text === "" ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (status >= 200 && status < 300) {
    if (value !== undefined || text === "") return { value };
    return { refusal: { status: 400, code: status, message: "the answer is not JSON" } };
  }
  const told = (typeof value === "object" && value !== null ? value : {}) as {
    readonly error_code?: unknown;
    readonly message?: unknown;
  };
  const seconds = Number(retryAfter ?? Number.NaN);
  return {
    refusal: {
      status,
      code: typeof told.error_code === "number" ? told.error_code : status,
      message: typeof told.message === "string" ? told.message : `it answered ${status}`,
      retryAfterMs: Number.isFinite(seconds) ? Math.min(seconds * 1000, 60_000) : undefined,
    },
  };
}
