// Calls methods of objects that live on another thread: promises for single answers, credit-controlled streams for async iterables.
//
// Arguments and answers are structured clones; an AbortSignal cannot cross, so a caller ends a stream by leaving its loop.
import { RdgError, type ErrorKind } from "./errors.ts";
import { Wake } from "./wake.ts";

/** A MessagePort or a Worker. */
export interface BridgePort {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

type Message =
  | {
      readonly kind: "call" | "open";
      readonly id: number;
      readonly target: string;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  | { readonly kind: "answer" | "item"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: PlainError }
  | { readonly kind: "end" | "leave" | "credit"; readonly id: number };

interface PlainError {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly message: string;
  readonly place: string | undefined;
  readonly hint: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly details: unknown;
}

/** Items that a stream may send ahead of its reader. */
const creditMax = 4;

/** An item of a stream with buffers that the other thread takes over: they are not copied, and gone on this side. */
export class HandedOver {
  readonly value: unknown;
  readonly buffers: readonly ArrayBuffer[];

  constructor(value: unknown, buffers: readonly ArrayBuffer[]) {
    this.value = value;
    this.buffers = buffers;
  }
}

type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

/** Serves the methods of `targets` to the other side of the port. What a method returns must be clonable, or an async iterable of clonable items. */
export function serveThread(port: BridgePort, targets: Readonly<Record<string, object>>): void {
  const streams = new Map<number, { credit: number; left: boolean; readonly wake: Wake }>();
  const methodOf = (target: string, method: string): ((...args: never[]) => unknown) => {
    const owner = targets[target] as Methods;
    return owner[method]!.bind(owner);
  };
  const call = async (id: number, target: string, method: string, args: readonly unknown[]): Promise<void> => {
    try {
      port.postMessage({ kind: "answer", id, value: await methodOf(target, method)(...(args as never[])) });
    } catch (error) {
      port.postMessage({ kind: "failed", id, error: plainError(error) });
    }
  };
  const stream = async (id: number, target: string, method: string, args: readonly unknown[]): Promise<void> => {
    const state = { credit: creditMax, left: false, wake: new Wake() };
    streams.set(id, state);
    try {
      for await (const value of methodOf(target, method)(...(args as never[])) as AsyncIterable<unknown>) {
        while (state.credit === 0 && !state.left) await state.wake.wait();
        if (state.left) break;
        state.credit--;
        if (value instanceof HandedOver) port.postMessage({ kind: "item", id, value: value.value }, value.buffers);
        else port.postMessage({ kind: "item", id, value });
      }
      port.postMessage({ kind: "end", id });
    } catch (error) {
      port.postMessage({ kind: "failed", id, error: plainError(error) });
    } finally {
      streams.delete(id);
    }
  };
  port.on("message", (raw) => {
    const message = raw as Message;
    if (message.kind === "call") void call(message.id, message.target, message.method, message.args);
    else if (message.kind === "open") void stream(message.id, message.target, message.method, message.args);
    else {
      const state = streams.get(message.id);
      if (state === undefined) return;
      if (message.kind === "credit") state.credit++;
      else state.left = true;
      state.wake.ring();
    }
  });
}

interface Stream {
  readonly items: unknown[];
  ended: boolean;
  failure: RdgError | undefined;
  readonly wake: Wake;
}

/** The calling side of `serveThread`. */
export class RemoteThread {
  readonly #port: BridgePort;
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  readonly #streams = new Map<number, Stream>();
  #lastId = 0;
  #closed: RdgError | undefined;

  constructor(port: BridgePort) {
    this.#port = port;
    port.on("message", (message) => this.#take(message as Message));
  }

  /** `transfer` names buffers that the other thread may keep. */
  call<T>(target: string, method: string, args: readonly unknown[], transfer?: readonly ArrayBuffer[]): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#port.postMessage({ kind: "call", id, target, method, args }, transfer);
    });
  }

  async *stream<T>(target: string, method: string, args: readonly unknown[], signal?: AbortSignal): AsyncGenerator<T> {
    if (this.#closed !== undefined) throw this.#closed;
    const id = ++this.#lastId;
    const stream: Stream = { items: [], ended: false, failure: undefined, wake: new Wake() };
    const onAbort = (): void => stream.wake.ring();
    this.#streams.set(id, stream);
    signal?.addEventListener("abort", onAbort);
    this.#port.postMessage({ kind: "open", id, target, method, args });
    try {
      for (;;) {
        if (signal?.aborted === true) return;
        if (stream.items.length > 0) {
          const item = stream.items.shift() as T;
          this.#port.postMessage({ kind: "credit", id });
          yield item;
        } else if (stream.failure !== undefined) throw stream.failure;
        else if (stream.ended) return;
        else await stream.wake.wait();
      }
    } finally {
      this.#streams.delete(id);
      signal?.removeEventListener("abort", onAbort);
      if (!stream.ended) this.#port.postMessage({ kind: "leave", id });
    }
  }

  /** The other thread is gone: everything that waits for it fails. */
  close(error: RdgError): void {
    this.#closed ??= error;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    for (const stream of this.#streams.values()) {
      stream.failure ??= error;
      stream.wake.ring();
    }
  }

  #take(message: Message): void {
    if (message.kind === "answer" || message.kind === "failed") {
      const call = this.#calls.get(message.id);
      if (call !== undefined) {
        this.#calls.delete(message.id);
        if (message.kind === "failed") return call.reject(errorFrom(message.error));
        return call.resolve(message.value);
      }
    }
    const stream = this.#streams.get(message.id);
    if (stream === undefined) return;
    if (message.kind === "item") stream.items.push(message.value);
    else if (message.kind === "failed") stream.failure = errorFrom(message.error);
    if (message.kind === "end" || message.kind === "failed") stream.ended = true;
    stream.wake.ring();
  }
}

function plainError(error: unknown): PlainError {
  if (!(error instanceof RdgError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      kind: "internal",
      code: "internal",
      message,
      place: undefined,
      hint: undefined,
      retryAfterMs: undefined,
      details: undefined,
    };
  }
  const { kind, code, message, place, hint, retryAfterMs, details } = error;
  return { kind, code, message, place, hint, retryAfterMs, details };
}

function errorFrom({ kind, code, message, ...details }: PlainError): RdgError {
  return new RdgError(kind, code, message, details);
}
