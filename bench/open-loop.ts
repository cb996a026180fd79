// Sends prepared events at a fixed rate whatever the answers are, over as many keep-alive connections as that takes: load that does not give way. And, for comparison,
// by the same connections as fast as they are answered.
import { eventBytes, HttpConnection } from "./http-connection.ts";

export interface Target {
  readonly url: URL;
  readonly path: string;
  readonly bodies: readonly Uint8Array[];
}

export interface OpenLoopOptions extends Target {
  readonly requestsPerSecond: number;
  readonly seconds: number;
  /** Requests that are due and find no free connection of so many are counted as unsent. */
  readonly connectionsMax: number;
}

export interface OpenLoopResult {
  /** Requests by the status of their answer; 0: the connection ended without one. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly unsent: number;
  /** From when a request was due to its answer, in milliseconds. */
  readonly acceptedMs: Float64Array;
  readonly refusedMs: Float64Array;
  /** Refusals that say when to try again. */
  readonly withRetryAfter: number;
  readonly connections: number;
  readonly wallSeconds: number;
}

const tickMs = 2;

/** What is to be sent: every body once, then those that were refused, then all again. */
class Outbox {
  readonly #requests: readonly Uint8Array[];
  readonly #refused: Uint8Array[] = [];
  #next = 0;

  constructor({ url, path, bodies }: Target) {
    this.#requests = bodies.map((body) => eventBytes(path, url.host, body));
  }

  take(): Uint8Array {
    const index = this.#next++;
    if (index < this.#requests.length) return this.#requests[index]!;
    return this.#refused.pop() ?? this.#requests[index % this.#requests.length]!;
  }

  refused(request: Uint8Array): void {
    this.#refused.push(request);
  }
}

class Tally {
  readonly statuses: Record<number, number> = {};
  readonly acceptedMs: number[] = [];
  readonly refusedMs: number[] = [];
  withRetryAfter = 0;

  add(status: number, head: string | undefined, dueMs: number): void {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    (status === 202 ? this.acceptedMs : this.refusedMs).push(performance.now() - dueMs);
    if (status !== 202 && head?.includes("\r\nretry-after: ") === true) this.withRetryAfter++;
  }

  result(unsent: number, connections: number, wallSeconds: number): OpenLoopResult {
    const { statuses, withRetryAfter } = this;
    const [acceptedMs, refusedMs] = [this.acceptedMs, this.refusedMs].map((all) => Float64Array.from(all).toSorted());
    const latencies = { acceptedMs: acceptedMs!, refusedMs: refusedMs! };
    return { statuses, unsent, ...latencies, withRetryAfter, connections, wallSeconds };
  }
}

/** Resolves when the time is over and everything that was sent is answered. */
export async function sendAtRate(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const { url, requestsPerSecond, seconds, connectionsMax } = options;
  const outbox = new Outbox(options);
  const tally = new Tally();
  const connections: HttpConnection[] = [];
  const idle: HttpConnection[] = [];
  let unsent = 0;
  const underWay = new Set<HttpConnection>();
  const send = (connection: HttpConnection, dueMs: number): void => {
    const request = outbox.take();
    underWay.add(connection);
    connection.send(request, (status, _bytes, head) => {
      underWay.delete(connection);
      tally.add(status, head, dueMs);
      if (status !== 202) outbox.refused(request);
      if (status !== 0) idle.push(connection);
    });
  };
  const startedMs = performance.now();
  const total = Math.floor(requestsPerSecond * seconds);
  for (let next = 0; next < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - startedMs) * requestsPerSecond) / 1000));
    for (; next < due; next++) {
      let connection = idle.pop();
      if (connection === undefined && connections.length < connectionsMax) {
        connections.push((connection = new HttpConnection(url.host)));
      }
      if (connection === undefined) unsent++;
      else send(connection, startedMs + (next * 1000) / requestsPerSecond);
    }
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  const wallSeconds = (performance.now() - startedMs) / 1000;
  while (underWay.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const connection of connections) connection.close();
  return tally.result(unsent, connections.length, wallSeconds);
}

export interface ClosedLoopOptions extends Target {
  readonly inFlight: number;
  readonly seconds: number;
}

/** Keeps so many requests under way for the time given. */
export async function sendSteadily(options: ClosedLoopOptions): Promise<OpenLoopResult> {
  const { url, inFlight, seconds } = options;
  const outbox = new Outbox(options);
  const tally = new Tally();
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1000;
  const work = async (): Promise<void> => {
    const connection = new HttpConnection(url.host);
    for (let sentMs = performance.now(); sentMs < endMs; sentMs = performance.now()) {
      const request = outbox.take();
      const status = await new Promise<number>((resolve) => {
        connection.send(request, (answered, _bytes, head) => {
          tally.add(answered, head, sentMs);
          resolve(answered);
        });
      });
      if (status === 0) throw new Error("The server closed the connection.");
      if (status !== 202) outbox.refused(request);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return tally.result(0, inFlight, (performance.now() - startedMs) / 1000);
}
