// Sends prepared request bodies over raw keep-alive sockets, a fixed number in flight: as little CPU as a load generator can take.
import { connect, type Socket } from "node:net";

export interface LoadResult {
  readonly accepted: number;
  /** Answers other than 202, by status. */
  readonly refused: Readonly<Record<number, number>>;
  /** Milliseconds from sending to answer, per request. */
  readonly latenciesMs: Float64Array;
  readonly wallSeconds: number;
}

interface Connection {
  readonly socket: Socket;
  sentMs: number;
}

/** Sends every body once; 429 and 503 are sent again after a pause. `paceMs` is the least time between two requests of the whole load. */
export async function sendBodies(
  url: URL,
  path: string,
  bodies: readonly Uint8Array[],
  inFlight: number,
  paceMs = 0,
): Promise<LoadResult> {
  const latenciesMs = new Float64Array(bodies.length);
  const refused: Record<number, number> = {};
  let next = 0;
  let accepted = 0;
  const startedMs = performance.now();
  const waiting: number[] = [];
  const take = (): number | undefined => waiting.pop() ?? (next < bodies.length ? next++ : undefined);

  const work = async (): Promise<void> => {
    const connection: Connection = { socket: connect(Number(url.port), url.hostname), sentMs: 0 };
    connection.socket.setNoDelay(true);
    for (let body = take(); body !== undefined; body = take()) {
      if (paceMs > 0) {
        const due = startedMs + body * paceMs;
        const early = due - performance.now();
        if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
      }
      connection.sentMs = performance.now();
      const status = await exchange(connection.socket, path, url.host, bodies[body]!);
      latenciesMs[body] = performance.now() - connection.sentMs;
      if (status === 202) accepted++;
      else {
        refused[status] = (refused[status] ?? 0) + 1;
        if (status !== 429 && status !== 503) throw new Error(`The server answered ${status}.`);
        waiting.push(body);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    connection.socket.destroy();
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return { accepted, refused, latenciesMs, wallSeconds: (performance.now() - startedMs) / 1000 };
}

function exchange(socket: Socket, path: string, host: string, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const done = (): void => {
      socket.off("data", onData);
      socket.off("error", reject);
      socket.off("close", onClose);
    };
    const onClose = (): void => reject(new Error("The server closed the connection."));
    const onData = (chunk: Buffer): void => {
      answer += chunk.toString("latin1");
      const head = answer.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? 0);
      if (answer.length < head + 4 + length) return;
      done();
      resolve(Number(answer.slice(9, 12)));
    };
    socket.on("data", onData);
    socket.on("error", reject);
    socket.on("close", onClose);
    // In one call to the system.
    socket.cork();
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/x-ndjson\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
    socket.uncork();
  });
}
