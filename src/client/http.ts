// The HTTP transport, over fetch: JSON questions, NDJSON events and streams; problem answers (RFC 9457) become the errors that the server raised.
import { type ErrorKind, RdgError } from "../core/errors.ts";
import type { TraverseAnswer } from "../model/traversal.ts";
import type { ProbedTransport } from "./addresses.ts";
import { linesOf } from "./lines.ts";
import { partsOfAnswer } from "./parts.ts";
import type { AnswerPart, ProduceCall, Produced, Question } from "./transport.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A token, or where the current one comes from: asked before every request. */
export type Token = string | (() => string | Promise<string>);

export interface HttpOptions {
  readonly url: string;
  readonly fetch: Fetch;
  readonly token?: Token | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export async function tokenOf(token: Token | undefined): Promise<string | undefined> {
  return typeof token === "function" ? token() : token;
}

const json = "application/json";
const ndjson = "application/x-ndjson";

const kindOfStatus: ReadonlyMap<number, ErrorKind> = new Map([
  [401, "unauthorized"],
  [403, "unauthorized"],
  [404, "not_found"],
  [408, "unavailable"],
  [409, "conflict"],
  [429, "overloaded"],
  [502, "unavailable"],
  [503, "unavailable"],
  [504, "unavailable"],
]);

/** What RDG says about a request that failed. */
interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly place?: string;
  readonly hint?: string;
  readonly errors?: readonly unknown[];
  readonly errorCount?: number;
}

export class HttpTransport implements ProbedTransport {
  readonly #options: HttpOptions;
  readonly #url: string;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, "");
  }

  async ask(question: Question, request: object, signal: AbortSignal): Promise<unknown> {
    const response = await this.#post(`/v1/${question}`, { "content-type": json }, JSON.stringify(request), signal);
    return this.#parsed(await this.#textOf(response, signal));
  }

  async *parts(request: object, signal: AbortSignal): AsyncGenerator<AnswerPart> {
    const headers = { "content-type": json, accept: `${ndjson}, ${json};q=0.9` };
    const response = await this.#post("/v1/traverse", headers, JSON.stringify(request), signal);
    if (!(response.headers.get("content-type") ?? "").startsWith(ndjson) || response.body === null) {
      yield* partsOfAnswer(this.#parsed(await this.#textOf(response, signal)) as TraverseAnswer);
      return;
    }
    try {
      for await (const line of linesOf(response.body)) yield this.#partOf(line);
    } catch (error) {
      if (signal.aborted || error instanceof RdgError) throw error;
      throw this.#noAnswer(error);
    }
  }

  async produce({ target, lines, idempotencyKey }: ProduceCall, signal: AbortSignal): Promise<Produced> {
    const headers = { "content-type": ndjson, ...(idempotencyKey && { "idempotency-key": idempotencyKey }) };
    const path = `/v1/${target.kind}s/${encodeURIComponent(target.name)}`;
    const response = await this.#post(path, headers, lines.map((line) => `${line}\n`).join(""), signal);
    return this.#parsed(await this.#textOf(response, signal)) as Produced;
  }

  async ready(signal: AbortSignal): Promise<boolean> {
    const headers = await this.#headersWith({});
    const response = await this.#options.fetch(`${this.#url}/readyz`, { headers, signal, redirect: "error" });
    await response.body?.cancel();
    return response.ok;
  }

  close(): void {}

  async #post(
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<Response> {
    const response = await this.#send(path, await this.#headersWith(headers), body, signal);
    if (response.ok) return response;
    throw problemOf(response, await this.#textOf(response, signal));
  }

  async #headersWith(own: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const { token, headers } = this.#options;
    const current = await tokenOf(token);
    return { ...headers, ...(current !== undefined && { authorization: `Bearer ${current}` }), ...own };
  }

  async #send(path: string, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<Response> {
    try {
      return await this.#options.fetch(`${this.#url}${path}`, {
        method: "POST",
        headers,
        body,
        signal,
        // It would lose the body, and might take the token elsewhere.
        redirect: "error",
      });
    } catch (error) {
      if (signal.aborted) throw error;
      throw this.#noAnswer(error);
    }
  }

  async #textOf(response: Response, signal: AbortSignal): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      if (signal.aborted) throw error;
      throw this.#noAnswer(error);
    }
  }

  #noAnswer(cause: unknown): RdgError {
    return new RdgError("unavailable", "no_answer", `No RDG answers at ${this.#url}, or its answer broke off.`, {
      hint: "Check the address, and that `rdg dev` runs there.",
      cause,
    });
  }

  #parsed(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new RdgError("internal", "bad_answer", `What ${this.#url} answers is not JSON.`, {
        hint: "Check the address: something else than RDG may answer there.",
        cause,
      });
    }
  }

  /** An answer that fails behind its first part can tell so in a line only. */
  #partOf(line: string): AnswerPart {
    const part = this.#parsed(line) as AnswerPart | { readonly error: Problem & { readonly status?: number } };
    if (!("error" in part)) return part;
    throw errorOf(part.error, part.error.status ?? 500, undefined);
  }
}

/** The error that a problem answer tells. */
function problemOf(response: Response, text: string): RdgError {
  const retryAfter = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  const retryAfterMs = Number.isNaN(retryAfter) ? undefined : retryAfter * 1_000;
  return errorOf(parsedProblem(text), response.status, retryAfterMs);
}

function errorOf(problem: Problem, status: number, retryAfterMs: number | undefined): RdgError {
  const kind = kindOfStatus.get(status) ?? (status >= 500 ? "internal" : "invalid");
  const message = problem.detail ?? problem.title ?? `The server answered ${status}.`;
  return new RdgError(kind, problem.code ?? `http_${status}`, message, {
    place: problem.place,
    hint: problem.hint,
    retryAfterMs,
    details: problem.errors && { problems: problem.errors, problemCount: problem.errorCount },
  });
}

function parsedProblem(text: string): Problem {
  try {
    const problem: unknown = JSON.parse(text);
    return typeof problem === "object" && problem !== null ? problem : {};
  } catch {
    return {};
  }
}
