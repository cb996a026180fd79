// One keep-alive connection with at most one request under way, for load: sends prepared bytes, looks at no more of an answer than where it ends.
import { connect, type Socket } from "node:net";
import type { Query } from "./query-mixes.ts";

/** `status` is 200 when all is well, 0 where the connection ended; `head` is the answer's head as text, of HTTP. */
export type Answered = (status: number, bytes: number, head?: string) => void;

/** A request as the bytes that go over a connection. */
export function httpBytes(query: Query, host: string): Buffer {
  if (query.kind === "node")
    return Buffer.from(`GET /v1/nodes/${query.type}/${query.id} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  if (query.kind === "edge") {
    return Buffer.from(`GET /v1/edges/${query.type}/${query.from}/${query.to} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  }
  const text = JSON.stringify(query.request);
  const head = `POST /v1/${query.kind} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n`;
  return Buffer.from(`${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

/** Events as the bytes that go over a connection. */
export function eventBytes(path: string, host: string, body: Uint8Array): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/x-ndjson\r\n`;
  return Buffer.concat([Buffer.from(`${head}content-length: ${body.length}\r\n\r\n`), body]);
}

/** Read into by every connection: what it holds is looked at before the next read. */
const readBuffer = Buffer.allocUnsafe(256 * 1024);
const headEnd = Buffer.from("\r\n\r\n");

export class HttpConnection {
  readonly #socket: Socket;
  #done: Answered | undefined;
  /** The beginning of a head that has not come whole. */
  #begun: Buffer | undefined;
  #status = 0;
  #bytes = 0;
  #left = 0;
  #head = "";

  /** @param address `127.0.0.1:7400` */
  constructor(address: string) {
    const onread = {
      buffer: readBuffer,
      callback: (length: number): boolean => {
        this.#take(readBuffer.subarray(0, length));
        return true;
      },
    };
    const [host, port] = address.split(":") as [string, string];
    this.#socket = connect({ port: Number(port), host, noDelay: true, onread });
    const ended = (): void => this.#finish(0, 0);
    this.#socket.on("error", ended).on("close", ended);
  }

  /** `done` is called once, before anything else happens on the connection. */
  send(request: Uint8Array, done: Answered): void {
    this.#done = done;
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#left === 0) return this.#takeHead(chunk);
    this.#left -= chunk.length;
    if (this.#left === 0) this.#finish(this.#status, this.#bytes, this.#head);
  }

  #takeHead(chunk: Buffer): void {
    const held = this.#begun === undefined ? chunk : Buffer.concat([this.#begun, chunk]);
    const end = held.indexOf(headEnd);
    this.#begun = end < 0 ? Buffer.from(held) : undefined;
    if (end < 0) return;
    const head = held.toString("latin1", 0, end);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`An answer without a length: ${head}`);
    this.#status = Number(head.slice(9, 12));
    this.#bytes = end + headEnd.length + Number(length);
    this.#left = this.#bytes - held.length;
    this.#head = head;
    if (this.#left === 0) this.#finish(this.#status, this.#bytes, head);
  }

  #finish(status: number, bytes: number, head?: string): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(status, bytes, head);
  }
}
