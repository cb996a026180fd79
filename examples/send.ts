// Sends records to a running RDG over HTTP: batches of JSON lines, several in flight, tried again until they are stored, and never stored twice.
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** What produce answers. */
export interface Accepted {
  readonly accepted: number;
  /** The last position per partition, as `<topic>/<partition>@<offset>`. */
  readonly positions: readonly string[];
}

/** An answer that is not 2xx; the message is for people. */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
  readonly status: number;
  readonly code: string | undefined;

  constructor(message: string, status: number, code: string | undefined) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const attemptsMax = 30;
const delayMsMax = 5000;

export class RdgConnection {
  readonly #url: URL;
  readonly #request: typeof httpRequest;
  readonly #agent: HttpAgent;

  constructor(url: string) {
    this.#url = new URL(url);
    const secure = this.#url.protocol === "https:";
    this.#request = secure ? httpsRequest : httpRequest;
    this.#agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  }

  /**
   * Stores a batch of JSON lines; `path` is `events/<event>` or `inputs/<side input>`. While RDG is busy or away the batch is tried again under the same
   * idempotency key: one that had been stored although the answer got lost is not stored again.
   */
  async produce(path: string, lines: Uint8Array, idempotencyKey: string): Promise<Accepted> {
    const headers = { "content-type": "application/x-ndjson", "idempotency-key": idempotencyKey };
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#post(`/v1/${path}`, headers, lines)) as Accepted;
      } catch (error) {
        const mayPass = !(error instanceof AnswerError) || error.status === 429 || error.status === 503;
        if (!mayPass || attempt === attemptsMax) throw this.#explained(error);
        await sleep(Math.min(delayMsMax, 50 * 2 ** attempt));
      }
    }
  }

  /** Posts JSON to a path such as `/v1/traverse` and gives the answer's JSON. */
  async ask(path: string, body: unknown): Promise<unknown> {
    const bytes = Buffer.from(JSON.stringify(body));
    return this.#post(path, { "content-type": "application/json" }, bytes).catch((error: unknown) => {
      throw this.#explained(error);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #post(path: string, headers: Record<string, string>, body: Uint8Array): Promise<unknown> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method: "POST", agent: this.#agent, headers: { ...headers, "content-length": body.length } };
      this.#request(new URL(path, this.#url), options, resolve).on("error", reject).end(body);
    });
    let text = "";
    response.setEncoding("utf8");
    for await (const part of response) text += String(part);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw answerError(status, text);
    return JSON.parse(text);
  }

  #explained(error: unknown): unknown {
    if (error instanceof AnswerError) return error;
    const why = error instanceof Error ? error.message : String(error);
    return new Error(`No RDG answers at ${this.#url.origin} (${why}). Start one with: rdg dev`, { cause: error });
  }
}

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly place?: string;
  readonly hint?: string;
}

function answerError(status: number, text: string): AnswerError {
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    problem = { detail: text.slice(0, 300) };
  }
  const place = problem.place === undefined ? "" : ` (at ${problem.place})`;
  const message = (problem.detail ?? problem.title ?? `RDG answered ${status}.`) + place;
  return new AnswerError(problem.hint === undefined ? message : `${message} ${problem.hint}`, status, problem.code);
}

/** Work of which several pieces may be under way, finished in the order in which it was begun. */
export class InFlight {
  readonly #max: number;
  readonly #pending: Promise<void>[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** Waits until there is room for another piece. @throws what a piece failed with */
  async room(): Promise<void> {
    while (this.#pending.length >= this.#max) await this.#pending.shift();
  }

  /** `finish` is called with each result, in the order of `add`. */
  add<T>(work: Promise<T>, finish: (result: T) => void): void {
    const before = this.#pending.at(-1);
    const done = work.then(async (result) => {
      await before;
      finish(result);
    });
    // Whoever waits for it sees the failure; until then it is not an unhandled one.
    done.catch(() => undefined);
    this.#pending.push(done);
  }

  /** Waits for everything. */
  async drain(): Promise<void> {
    while (this.#pending.length > 0) await this.#pending.shift();
  }
}
