// Runs the handlers of calls: what a handler is told of its call, when it stops, and how what it throws is told.
import { type StatusObject, status } from "@grpc/grpc-js";
import type { Registry } from "prom-client";
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { Histogram, type HistogramSeries } from "../../core/histogram.ts";
import type { MessageFns } from "../../model/rpc/generated/rdg/v1/element.ts";
import type { QueryContext } from "../../query/port.ts";
import { type Access, type Principal, mayReadOf } from "../auth/port.ts";
import type { ByteBudget, Holding } from "../byte-budget.ts";
import { isOurFault } from "../problems.ts";
import type { Connections, PendingWrite, ReadCall } from "./connections.ts";
import type { RequestShape } from "./field-path.ts";
import { readMessage } from "./messages.ts";
import type { Handler, ServedCall } from "./served-call.ts";
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
  readonly access: Access;
  /** Answers until they are taken. */
  readonly answers: ByteBudget;
  readonly connections: () => Connections;
  readonly timeoutMsMax: number;
  readonly metrics?: Registry | undefined;
  readonly onError?:
    | ((error: unknown, request: { readonly method: string; readonly url: string; readonly id?: string }) => void)
    | undefined;
}

/** Made once: an abort without a reason makes an error, with a stack, for each. */
const callEnded = new RdgError(
  "closed",
  "request_aborted",
  "The call has ended: its caller is gone, or its deadline is over.",
);

const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export class Calls {
  readonly #options: CallsOptions;
  readonly #durations: Histogram<"method" | "code"> | undefined;

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

  unary<T>(method: Method<T>, answer: (request: T, context: CallContext) => Promise<Encoded>): Handler {
    const observe = this.#observerOf(method);
    return (call) => {
      const gone = new AbortController();
      let answered: AnswerHeld | undefined;
      call.onOver = () => {
        if (answered === undefined) gone.abort(callEnded);
        else answered.release();
      };
      this.#run(method, observe, call, gone.signal, async (request, context) => {
        const encoded = await answer(request, context);
        if (gone.signal.aborted) return;
        const { answers, connections } = this.#options;
        answered = new AnswerHeld(answers, connections(), call, encoded.length);
        call.send(Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length), () => undefined);
        call.end();
      }).then(undefined, (error: unknown) => call.fail(this.#told(error, method, call)));
    };
  }

  /** The handler writes to the stream; it is ended here. */
  serverStream<T>(
    method: Method<T>,
    answer: (request: T, context: CallContext, stream: AnswerStream) => Promise<void>,
  ): Handler {
    const observe = this.#observerOf(method);
    return (call) => {
      const gone = new AbortController();
      const stream = new AnswerStream(call, gone.signal, this.#options.answers, this.#options.connections());
      let ended = false;
      call.onOver = () => {
        // Where everything was taken there is nothing left to give up.
        if (ended && stream.pendingBytes === 0) return;
        gone.abort(callEnded);
        stream.giveUp();
      };
      this.#run(method, observe, call, gone.signal, (request, context) => answer(request, context, stream)).then(
        () => {
          ended = true;
          call.end();
        },
        (error: unknown) => {
          if (!gone.signal.aborted) call.fail(this.#told(error, method, call));
        },
      );
    };
  }

  async #run<T>(
    method: Method<T>,
    observe: Observer | undefined,
    call: ServedCall,
    signal: AbortSignal,
    work: (request: T, context: CallContext) => Promise<void>,
  ): Promise<void> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const bytes = call.request;
    const holding = method.bodies.hold(notSlow);
    let code = status.OK;
    try {
      holding.settle();
      holding.add(bytes.length);
      const { principal } = call;
      const context = { principal, query: this.#queryContext(call, signal), leftMs: this.#leftMs(call) };
      await work(readMessage(method.request, bytes), context);
      if (signal.aborted) code = status.CANCELLED;
    } catch (error) {
      code = signal.aborted ? status.CANCELLED : statusOf(error).code;
      throw error;
    } finally {
      holding.release();
      observe?.(code, (clock.monotonicMs() - startedMs) / 1_000);
    }
  }

  #observerOf<T>({ path }: Method<T>): Observer | undefined {
    const durations = this.#durations;
    if (durations === undefined) return undefined;
    const known: (HistogramSeries | undefined)[] = [];
    return (code, seconds) => {
      const series = (known[code] ??= durations.of({ method: path, code: status[code] }));
      series.observe(seconds);
    };
  }

  #queryContext({ principal, requestId, span }: ServedCall, signal: AbortSignal): QueryContext {
    const { access } = this.#options;
    if (!access.required) return { signal, requestId, span };
    const mayRead = mayReadOf(principal);
    const charge = (scannedEdges: number): void => access.charge(principal, scannedEdges);
    return { signal, requestId, span, ...(mayRead && { mayRead }), charge };
  }

  /** The call's deadline is kept by the library; the work should end by it, too. */
  #leftMs({ deadlineMs }: ServedCall): number | undefined {
    if (deadlineMs === Infinity) return undefined;
    const leftMs = deadlineMs - this.#options.clock.now();
    if (leftMs <= 0) throw new RdgError("closed", "deadline_over", "The deadline is over.");
    return leftMs < this.#options.timeoutMsMax ? Math.max(1, Math.floor(leftMs)) : undefined;
  }

  #told<T>(error: unknown, { path, shape }: Method<T>, { requestId: id }: ServedCall): StatusObject {
    if (isOurFault(error)) this.#options.onError?.(error, { method: "gRPC", url: path, id });
    return statusOf(error, shape);
  }
}

type Observer = (code: status, seconds: number) => void;

/** What is here already is not asked to make room. */
const notSlow = (): void => undefined;

/** What was written of an answer and not taken yet: in the budget of answers, and looked at by those who end calls that nobody reads. */
class AnswerHeld {
  readonly #holding: Holding;
  readonly #connections: Connections;
  readonly #write: PendingWrite;

  constructor(answers: ByteBudget, connections: Connections, call: ReadCall, bytes: number) {
    this.#holding = answers.hold(() => connections.giveUp(call));
    this.#connections = connections;
    this.#write = connections.writing(call);
    this.#holding.addRegardless(bytes);
  }

  release(): void {
    this.#holding.release();
    this.#connections.written(this.#write);
  }
}

/** Takes messages of an answer as fast as its reader does. */
export class AnswerStream {
  readonly #call: ServedCall;
  readonly #signal: AbortSignal;
  readonly #answers: ByteBudget;
  readonly #connections: Connections;
  readonly #pending = new Set<AnswerHeld>();
  #pendingBytes = 0;
  #onTaken: (() => void) | undefined;

  constructor(call: ServedCall, signal: AbortSignal, answers: ByteBudget, connections: Connections) {
    this.#call = call;
    this.#signal = signal;
    this.#answers = answers;
    this.#connections = connections;
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
    const { length } = bytes;
    const held = new AnswerHeld(this.#answers, this.#connections, this.#call, length);
    this.#pending.add(held);
    this.#pendingBytes += length;
    this.#call.send(bytes, () => {
      this.#pendingBytes -= length;
      this.#pending.delete(held);
      held.release();
      this.#onTaken?.();
    });
  }

  /** The call has ended: what is held is given back. */
  giveUp(): void {
    for (const held of this.#pending) held.release();
    this.#pending.clear();
    this.#onTaken?.();
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
