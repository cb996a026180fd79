// Hot path: a call from its entrance to its end, between the library and a handler of ours. What has such a handler is not turned into one of the library's
// streams, which cost a small traversal as much as its planning; other calls go on to the library once they have been let in.
import { type Http2Session, type ServerHttp2Stream, constants } from "node:http2";
import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import type { RequestSpan } from "../../observe/port.ts";
import type { Principal } from "../auth/port.ts";
import type { Holding } from "../byte-budget.ts";
import { statusOf } from "./status.ts";

/** How a call ends. */
type Ending = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];
type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

/** Answers a call whose message is there. Does not throw. */
export type Handler = (call: ServedCall) => void;

/** What calls must pass before their message is read. */
export interface Entrance {
  /** Gives the call what it is known by in logs and traces. */
  readonly name: (call: ServedCall, metadata: Metadata) => void;
  readonly enter: (call: ServedCall, metadata: Metadata) => Principal | Promise<Principal>;
  /** Room for one message. @throws RdgError overloaded */
  readonly receive: (call: ServedCall) => Holding;
}

export class ServedCall extends ServerInterceptingCall implements Listener {
  readonly path: string;
  requestId = "";
  span: RequestSpan | undefined;
  /** Called once, when the call has ended one way or another. */
  onOver: (() => void) | undefined;
  readonly #call: ServerInterceptingCallInterface;
  readonly #entrance: Entrance;
  readonly #handler: Handler | undefined;
  #next: Listener | undefined;
  #principal: Principal | undefined;
  #receiving: Holding | undefined;
  #request: Buffer | undefined;
  #peer: string | undefined;
  #code: status = status.CANCELLED;
  #toldId = false;
  #over = false;
  #isReset = false;

  constructor(call: ServerInterceptingCallInterface, path: string, entrance: Entrance, handler: Handler | undefined) {
    super(call);
    this.path = path;
    this.#call = call;
    this.#entrance = entrance;
    this.#handler = handler;
  }

  /** Who asks. For handlers: the call has entered. */
  get principal(): Principal {
    return this.#principal!;
  }

  /** The message. For handlers. */
  get request(): Buffer {
    return this.#request!;
  }

  /** `127.0.0.1:40512` */
  get peer(): string {
    return (this.#peer ??= this.#call.getPeer());
  }

  /** Wall clock; Infinity: none. */
  get deadlineMs(): number {
    return Number(this.#call.getDeadline());
  }

  /** Takes a copy of the message, and tells when it is on its way; never when the call ends before. */
  send(message: Buffer, onTaken: () => void): void {
    this.#tellId();
    this.#call.sendMessage(message, onTaken);
  }

  /** Behind all messages. */
  end(): void {
    this.#code = status.OK;
    this.#call.sendStatus(succeeded);
  }

  fail(failure: Ending): void {
    this.#code = failure.code ?? status.UNKNOWN;
    const metadata = failure.metadata ?? new Metadata();
    metadata.set(requestIdName, this.requestId);
    this.#call.sendStatus({ ...failure, metadata });
  }

  /** Whether it has ended, or been ended: nothing more is taken of its answer. */
  get isOver(): boolean {
    return this.#over || this.#isReset;
  }

  /**
   * Ends the call at once, whatever its reader has not taken, and nothing else of its connection.
   * @returns the connection's session; undefined where the library does not show the call's stream: then nothing was done
   */
  reset(): Http2Session | undefined {
    // What the library calls private. Its own ways of ending a call all wait until the reader has taken what was written.
    const { stream } = this.#call as { readonly stream?: Partial<ServerHttp2Stream> };
    const session = stream?.session;
    if (session === undefined || stream?.close === undefined) return undefined;
    this.#isReset = true;
    stream.close(constants.NGHTTP2_CANCEL);
    return session;
  }

  override start(next: Listener): void {
    this.#next = next;
    this.#call.start(this);
  }

  override sendMetadata(metadata: Metadata): void {
    this.#toldId = true;
    metadata.set(requestIdName, this.requestId);
    this.#call.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, onTaken: () => void): void {
    this.#tellId();
    this.#call.sendMessage(message, onTaken);
  }

  override sendStatus(given: Ending): void {
    this.#code = given.code ?? status.OK;
    this.#call.sendStatus(given);
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#entrance.name(this, metadata);
    const go = (principal: Principal): void => {
      if (this.#over) return;
      this.#principal = principal;
      this.#receiving = this.#entrance.receive(this);
      if (this.#handler === undefined) this.#next!.onReceiveMetadata(metadata);
      else this.#call.startRead();
    };
    const refuse = (error: unknown): void => this.fail(statusOf(error));
    try {
      const entered = this.#entrance.enter(this, metadata);
      if (entered instanceof Promise) entered.then(go).catch(refuse);
      else go(entered);
    } catch (error) {
      refuse(error);
    }
  }

  onReceiveMessage(message: unknown): void {
    this.#receiving?.release();
    if (this.#handler === undefined) return this.#next!.onReceiveMessage(message);
    if (this.#request !== undefined) return this.fail(notOneMessage);
    this.#request = message as Buffer;
    this.#call.startRead();
  }

  onReceiveHalfClose(): void {
    if (this.#handler === undefined) return this.#next!.onReceiveHalfClose();
    if (this.#request === undefined) return this.fail(notOneMessage);
    this.#handler(this);
  }

  /** Comes at the end of every call. */
  onCancel(): void {
    this.#over = true;
    this.#receiving?.release();
    this.onOver?.();
    if (this.span !== undefined) this.#endSpan(this.span);
    if (this.#handler === undefined) this.#next!.onCancel();
  }

  #endSpan(span: RequestSpan): void {
    const [, service = "", method = ""] = this.path.split("/");
    const attributes = {
      "rpc.system": "grpc",
      "rpc.service": service,
      "rpc.method": method,
      "rpc.grpc.status_code": this.#code,
      "rdg.request_id": this.requestId,
    };
    span.end(attributes, faults.has(this.#code));
  }

  /** Goes before the first message. */
  #tellId(): void {
    if (!this.#toldId) this.sendMetadata(new Metadata());
  }
}

export const requestIdName = "x-request-id";
const succeeded: Ending = { code: status.OK, details: "OK", metadata: null };
const notOneMessage: Ending = {
  code: status.UNIMPLEMENTED,
  details: "The method takes one message.",
  metadata: null,
};
const faults: ReadonlySet<status> = new Set([status.INTERNAL, status.UNKNOWN, status.DATA_LOSS]);
