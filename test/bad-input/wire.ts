// HTTP by hand over a socket: sends any bytes, whole or not, and reads whatever answers come back.
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface WireAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export class Wire {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #arrived: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#arrived();
    });
    const end = (): void => {
      this.#ended = true;
      this.#arrived();
    };
    // A reset is an end like any other here.
    socket.on("error", end).on("end", end).on("close", end);
  }

  static async open(url: string): Promise<Wire> {
    const { hostname, port } = new URL(url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    await once(socket, "connect");
    return new Wire(socket);
  }

  send(...parts: readonly (string | Uint8Array)[]): this {
    for (const part of parts) if (this.socket.writable) this.socket.write(part);
    return this;
  }

  /** The next answer; undefined when the connection ended without one. */
  async answer(): Promise<WireAnswer | undefined> {
    for (;;) {
      const parsed = parseAnswer(this.#received, this.#ended);
      if (parsed !== undefined) {
        this.#received = this.#received.subarray(parsed.length);
        // 100 Continue is no answer yet.
        if (parsed.answer.status === 100) continue;
        return parsed.answer;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  /** Resolves when the other side has closed. */
  async closed(): Promise<void> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#arrived = resolve));
  }

  close(): void {
    this.socket.destroy();
  }
}

function parseAnswer(bytes: Buffer, ended: boolean): { answer: WireAnswer; length: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [statusLine, ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(`${statusLine!} `)?.[1] ?? Number.NaN);
  const start = headEnd + 4;
  const answer = (body: Buffer, end: number) => ({ answer: { status, headers, body }, length: end });
  if (status === 100) return answer(Buffer.alloc(0), start);
  if (headers.get("transfer-encoding") === "chunked") {
    const chunked = parseChunks(bytes, start);
    return chunked && answer(chunked.body, chunked.end);
  }
  const length = headers.get("content-length");
  if (length === undefined) return ended ? answer(bytes.subarray(start), bytes.length) : undefined;
  const end = start + Number(length);
  return bytes.length < end ? undefined : answer(bytes.subarray(start, end), end);
}

function parseChunks(bytes: Buffer, start: number): { body: Buffer; end: number } | undefined {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return { body: Buffer.concat(parts), end: next };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}

export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** A request's bytes; host and content-length are added unless `headers` has them (`""` leaves one out). */
export function request(
  method: string,
  path: string,
  headers: Headers = {},
  body: string | Uint8Array = "",
): readonly [head: Buffer, body: Uint8Array] {
  const content = typeof body === "string" ? Buffer.from(body) : body;
  const all: Headers = {
    host: "127.0.0.1",
    ...(method === "GET" ? {} : { "content-length": String(content.length) }),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, values]) =>
    [values].flat().flatMap((value) => (value === "" ? [] : [`${name}: ${value}`])),
  );
  return [Buffer.from(`${[`${method} ${path} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`, "latin1"), content];
}
