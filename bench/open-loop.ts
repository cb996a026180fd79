// Sends prepared bodies at a fixed rate whatever the answers are, over as many raw keep-alive sockets as that takes: load that does not give way.
import { connect, type Socket } from "node:net";

export interface OpenLoopOptions {
  readonly url: URL;
  readonly path: string;
  readonly bodies: readonly Uint8Array[];
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

/** Resolves when the time is over and everything that was sent is answered. */
export async function sendAtRate(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const { url, bodies, requestsPerSecond, seconds, connectionsMax } = options;
  const lanes: Lane[] = [];
  const idle: Lane[] = [];
  const statuses: Record<number, number> = {};
  const acceptedMs: number[] = [];
  const refusedMs: number[] = [];
  let [withRetryAfter, unsent] = [0, 0];
  const underWay = new Set<Lane>();
  const answered = (lane: Lane, { status, retryAfter }: Answer, dueMs: number): void => {
    underWay.delete(lane);
    statuses[status] = (statuses[status] ?? 0) + 1;
    (status === 202 ? acceptedMs : refusedMs).push(performance.now() - dueMs);
    if (retryAfter) withRetryAfter++;
    if (status !== 0) idle.push(lane);
  };
  const startedMs = performance.now();
  const total = Math.floor(requestsPerSecond * seconds);
  for (let next = 0; next < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - startedMs) * requestsPerSecond) / 1000));
    for (; next < due; next++) {
      let lane = idle.pop();
      if (lane === undefined && lanes.length < connectionsMax) lanes.push((lane = new Lane(url, options.path)));
      if (lane === undefined) {
        unsent++;
        continue;
      }
      const used = lane;
      const dueMs = startedMs + (next * 1000) / requestsPerSecond;
      underWay.add(used);
      used.send(bodies[next % bodies.length]!, (answer) => answered(used, answer, dueMs));
    }
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  const wallSeconds = (performance.now() - startedMs) / 1000;
  while (underWay.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const lane of lanes) lane.close();
  return {
    statuses,
    unsent,
    acceptedMs: Float64Array.from(acceptedMs).toSorted(),
    refusedMs: Float64Array.from(refusedMs).toSorted(),
    withRetryAfter,
    connections: lanes.length,
    wallSeconds,
  };
}

interface Answer {
  readonly status: number;
  readonly retryAfter: boolean;
}

/** A connection with at most one request under way. */
class Lane {
  readonly #socket: Socket;
  readonly #head: string;
  #received = "";
  #done: ((answer: Answer) => void) | undefined;

  constructor(url: URL, path: string) {
    this.#head = `POST ${path} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/x-ndjson\r\ncontent-length: `;
    this.#socket = connect(Number(url.port), url.hostname);
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => this.#take(chunk));
    const ended = (): void => this.#finish({ status: 0, retryAfter: false });
    this.#socket.on("error", ended).on("close", ended);
  }

  send(body: Uint8Array, done: (answer: Answer) => void): void {
    this.#done = done;
    // In one call to the system.
    this.#socket.cork();
    this.#socket.write(`${this.#head}${body.length}\r\n\r\n`);
    this.#socket.write(body);
    this.#socket.uncork();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received += chunk.toString("latin1");
    const head = this.#received.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1] ?? 0);
    if (this.#received.length < head + 4 + length) return;
    const status = Number(this.#received.slice(9, 12));
    const retryAfter = /\r\nretry-after: \d/i.test(this.#received.slice(0, head));
    this.#received = "";
    this.#finish({ status, retryAfter });
  }

  #finish(answer: Answer): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(answer);
  }
}
