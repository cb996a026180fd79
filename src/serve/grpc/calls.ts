// Runs the handlers of calls: what a handler is told of its call, when it stops, and how what it throws is told.
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import { Histogram, type Registry } from "prom-client";
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { MessageFns } from "../../model/rpc/generated/rdg/v1/element.ts";
import type { QueryContext } from "../../query/port.ts";
import { type Access, type Principal, mayReadOf } from "../auth/port.ts";
import type { ByteBudget } from "../byte-budget.ts";
import { isOurFault } from "../problems.ts";
import type { Connections } from "./connections.ts";
import type { RequestShape } from "./field-path.ts";
import type { Guard } from "./guard.ts";
import { readMessage } from "./messages.ts";
import { statusOf } from "./status.ts";

/** Messages are bytes at the library: they are read where errors can be told, and written where it is fastest. */
export type Bytes = Buffer;
/** A handler's answer. */
export type Encoded = Uint8Array;

export interface CallContext {
  readonly principal: Principal;
  /** What the query stage is told: until when (the signal is aborted when the call has ended), what may be read, who pays. */
  readonly query: QueryContext;
  /** Milliseconds until the deadline; undefined where there is none within the server's own bound. */
  readonly leftMs: number | undefined;
}

export interface Method<T> {
  readonly path: string;
  readonly request: Pick<MessageFns<T>, "decode">;
  /** Of the request, for the places that errors tell. */
  readonly shape?: RequestShape;
  /** The bytes of requests that are worked on. */
  readonly bodies: ByteBudget;
}

export interface CallsOptions {
  readonly clock: Clock;
  readonly guard: Guard;
  readonly access: Access;
  /** Answers until they are taken. */
  readonly answers: ByteBudget;
  readonly connections: () => Connections;
  readonly timeoutMsMax: number;
  readonly metrics?: Registry | undefined;
  readonly onError?: ((error: unknown, request: { readonly method: string; readonly url: string }) => void) | undefined;
}

/** Made once: an abort without a reason makes an error, with a stack, for each. */
const callEnded = new RdgError(
  "closed",
  "request_aborted",
  "The call has ended: its caller is gone, or its deadline is over.",
);

type AnyCall = Pick<ServerWritableStream<Bytes, Bytes>, "getDeadline" | "getPeer" | "metadata" | "request">;

const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export class Calls {
  readonly #options: CallsOptions;
  readonly #durations: Histogram<"method" | "code"> | undefined;
  #running = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#durations =
      options.metrics &&
      new Histogram({
        name: "rdg_grpc_call_duration_seconds",
        help: "Time from a call's message to the end of its answer.",
        labelNames: ["method", "code"] as const,
        buckets,
        registers: [options.metrics],
      });
  }

  get running(): number {
    return this.#running;
  }

  unary<T>(
    method: Method<T>,
    answer: (request: T, context: CallContext) => Promise<Encoded>,
  ): handleUnaryCall<Bytes, Bytes> {
    return (call, respond) => {
      const gone = new AbortController();
      let answered = false;
      call.once("cancelled", () => {
        if (!answered) gone.abort(callEnded);
      });
      this.#run(method, call, gone.signal, async (request, context) => {
        const encoded = await answer(request, context);
        if (gone.signal.aborted) return;
        this.#hold(call, encoded.length);
        answered = true;
        respond(null, Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length));
      }).then(undefined, (error: unknown) => respond(this.#told(error, method)));
    };
  }

  /** The handler writes to the stream; it is ended here. */
  serverStream<T>(
    method: Method<T>,
    answer: (request: T, context: CallContext, stream: AnswerStream) => Promise<void>,
  ): handleServerStreamingCall<Bytes, Bytes> {
    return (call) => {
      const gone = new AbortController();
      const stream = new AnswerStream(call, gone.signal, this.#options.answers, this.#options.connections());
      call.once("cancelled", () => {
        // Comes at the end of every call; there is nothing left to give up then.
        if (stream.pendingBytes > 0 || !call.writableEnded) gone.abort(callEnded);
      });
      this.#run(method, call, gone.signal, (request, context) => answer(request, context, stream)).then(
        () => call.end(),
        (error: unknown) => {
          if (!gone.signal.aborted) call.emit("error", this.#told(error, method));
        },
      );
    };
  }

  /** In the budget of answers until the call has ended. */
  #hold(call: ServerUnaryCall<Bytes, Bytes>, bytes: number): void {
    const { answers, connections } = this.#options;
    const peer = call.getPeer();
    const holding = answers.hold(() => connections().cut(peer));
    const written = connections().writing(peer);
    // Comes at the end of every call.
    call.once("cancelled", () => {
      holding.release();
      written();
    });
    holding.addRegardless(bytes);
  }

  async #run<T>(
    method: Method<T>,
    call: AnyCall,
    signal: AbortSignal,
    work: (request: T, context: CallContext) => Promise<void>,
  ): Promise<void> {
    const { clock, guard } = this.#options;
    const startedMs = clock.monotonicMs();
    const bytes = call.request;
    const holding = method.bodies.hold(() => undefined);
    this.#running++;
    let code = status.OK;
    try {
      holding.settle();
      holding.add(bytes.length);
      const principal = guard.principalOf(call.metadata);
      const context = { principal, query: this.#queryContext(principal, signal), leftMs: this.#leftMs(call) };
      await work(readMessage(method.request, bytes), context);
      if (signal.aborted) code = status.CANCELLED;
    } catch (error) {
      code = signal.aborted ? status.CANCELLED : statusOf(error).code;
      throw error;
    } finally {
      this.#running--;
      holding.release();
      this.#durations?.observe({ method: method.path, code: status[code] }, (clock.monotonicMs() - startedMs) / 1_000);
    }
  }

  #queryContext(principal: Principal, signal: AbortSignal): QueryContext {
    const { access } = this.#options;
    if (!access.required) return { signal };
    const mayRead = mayReadOf(principal);
    return { signal, ...(mayRead && { mayRead }), charge: (scannedEdges) => access.charge(principal, scannedEdges) };
  }

  /** The call's deadline is kept by the library; the work should end by it, too. */
  #leftMs(call: AnyCall): number | undefined {
    const deadline = Number(call.getDeadline());
    const leftMs = deadline - this.#options.clock.now();
    if (leftMs <= 0) throw new RdgError("closed", "request_aborted", "The deadline is over.");
    return leftMs < this.#options.timeoutMsMax ? Math.max(1, Math.floor(leftMs)) : undefined;
  }

  #told<T>(error: unknown, { path, shape }: Method<T>): { code: status; details: string; metadata: Metadata } {
    if (isOurFault(error)) this.#options.onError?.(error, { method: "gRPC", url: path });
    return statusOf(error, shape);
  }
}

/** Takes messages of an answer as fast as its reader does. */
export class AnswerStream {
  readonly #call: ServerWritableStream<Bytes, Bytes>;
  readonly #signal: AbortSignal;
  readonly #answers: ByteBudget;
  readonly #connections: Connections;
  readonly #peer: string;
  /** Gives back what a message holds. */
  readonly #pending = new Set<() => void>();
  #pendingBytes = 0;
  #onTaken: (() => void) | undefined;

  constructor(
    call: ServerWritableStream<Bytes, Bytes>,
    signal: AbortSignal,
    answers: ByteBudget,
    connections: Connections,
  ) {
    this.#call = call;
    this.#signal = signal;
    this.#answers = answers;
    this.#connections = connections;
    this.#peer = call.getPeer();
    signal.addEventListener("abort", () => {
      for (const giveBack of this.#pending) giveBack();
      this.#onTaken?.();
    });
  }

  /** Whether the call has ended before its answer. */
  get ended(): boolean {
    return this.#signal.aborted;
  }

  /** Bytes that were written and not taken yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The bytes may be written over afterwards. They are held in the budget of answers until they are taken; who takes nothing for long makes room. */
  write(bytes: Bytes): void {
    if (this.#signal.aborted) return;
    // With nothing before it the library copies a message at once, else later.
    const message = this.#pendingBytes > 0 ? Buffer.from(bytes) : bytes;
    const holding = this.#answers.hold(() => this.#connections.cut(this.#peer));
    const written = this.#connections.writing(this.#peer);
    const giveBack = (): void => {
      this.#pending.delete(giveBack);
      holding.release();
      written();
    };
    this.#pending.add(giveBack);
    holding.addRegardless(message.length);
    this.#pendingBytes += message.length;
    this.#call.write(message, () => {
      this.#pendingBytes -= message.length;
      giveBack();
      this.#onTaken?.();
    });
  }

  /** Resolves when no more than this is pending, or the call has ended. */
  async drained(bytesMax: number): Promise<void> {
    while (!this.#signal.aborted && this.#pendingBytes > bytesMax) {
      await new Promise<void>((resolve) => {
        this.#onTaken = resolve;
      });
    }
    this.#onTaken = undefined;
  }
}
