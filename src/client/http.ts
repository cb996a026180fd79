// Requests of the client over fetch; problem answers (RFC 9457) become the errors that the server raised.
import { type ErrorKind, RdgError } from "../core/errors.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const kindOfStatus: ReadonlyMap<number, ErrorKind> = new Map([
  [401, "unauthorized"],
  [403, "unauthorized"],
  [404, "not_found"],
  [409, "conflict"],
  [429, "overloaded"],
  [502, "unavailable"],
  [503, "unavailable"],
  [504, "unavailable"],
]);

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly place?: string;
  readonly hint?: string;
}

export class HttpConnection {
  private readonly url: string;
  private readonly fetch: Fetch;

  constructor(url: string, fetch: Fetch) {
    this.url = url.replace(/\/+$/, "");
    this.fetch = fetch;
  }

  /** Posts JSON or NDJSON text; resolves with the parsed answer. @throws RdgError */
  async post(path: string, contentType: string, body: string, signal: AbortSignal | undefined): Promise<unknown> {
    const init: RequestInit = { method: "POST", headers: { "content-type": contentType }, body };
    let response: Response;
    try {
      response = await this.fetch(`${this.url}${path}`, signal === undefined ? init : { ...init, signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new RdgError("unavailable", "no_answer", `No RDG answers at ${this.url}.`, {
        hint: "Check the address, and that `rdg dev` runs there.",
        cause: error,
      });
    }
    const text = await response.text();
    if (!response.ok) throw problemOf(response, text);
    return JSON.parse(text) as unknown;
  }
}

function problemOf(response: Response, text: string): RdgError {
  const problem = parsedProblem(text);
  const kind = kindOfStatus.get(response.status) ?? (response.status >= 500 ? "internal" : "invalid");
  const retryAfter = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  const message = problem.detail ?? problem.title ?? `The server answered ${response.status}.`;
  return new RdgError(kind, problem.code ?? `http_${response.status}`, message, {
    place: problem.place,
    hint: problem.hint,
    retryAfterMs: Number.isNaN(retryAfter) ? undefined : retryAfter * 1_000,
  });
}

function parsedProblem(text: string): Problem {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return {};
  }
}
