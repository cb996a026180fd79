// Several addresses as one transport: each request goes to the less busy of two that are well, and to another one where nobody answers.
//
// An address that failed rests, longer each time; when its rest is over it is asked whether it is ready, while others answer. Where all rest, they are asked
// all the same. One request asks every address once at most: trying again, with pauses, is the caller's, as with any transport.
//
// Answers of several replicas may be of different moments. With `monotonic`, every question waits at its replica for what earlier answers have shown.
import { RdgError } from "../core/errors.ts";
import type { CallPorts } from "./calls.ts";
import type { AnswerPart, ProduceCall, Produced, Question, Transport } from "./transport.ts";

export interface AddressesOptions {
  /** No question is answered as of an earlier moment than one before it. */
  readonly monotonic: boolean;
  /** How long one address may take before another one is asked. */
  readonly answerMs: number;
}

/** A transport that can tell whether who answers there is ready. */
export interface ProbedTransport extends Transport {
  /** `/readyz`, or its like. Rejects where nobody answers. */
  ready(signal: AbortSignal): Promise<boolean>;
}

interface Address {
  readonly transport: ProbedTransport;
  inFlight: number;
  failures: number;
  /** Monotonic time. */
  restUntilMs: number;
  probing: boolean;
}

const restMsFirst = 250;
const restMsMax = 30_000;
const probeMs = 5_000;
/** With those that a question names itself, as many as a server takes. Of more partitions, the first are forgotten. */
const seenMax = 500;

export class Addresses implements Transport {
  readonly #addresses: readonly Address[];
  readonly #options: AddressesOptions;
  readonly #ports: CallPorts;
  /** Last offset that an answer has shown, by partition. */
  readonly #seen = new Map<string, number>();
  readonly #closed = new AbortController();

  constructor(transports: readonly ProbedTransport[], options: AddressesOptions, ports: CallPorts) {
    this.#addresses = transports.map((transport) => ({
      transport,
      inFlight: 0,
      failures: 0,
      restUntilMs: -Infinity,
      probing: false,
    }));
    this.#options = options;
    this.#ports = ports;
  }

  async ask(question: Question, request: object, signal: AbortSignal): Promise<unknown> {
    const answer = await this.#atOneOf(signal, this.#boundOf(request), ({ transport }, bounded) =>
      transport.ask(question, this.#behind(request), bounded),
    );
    this.#see(answer);
    return answer;
  }

  async *parts(request: object, signal: AbortSignal): AsyncGenerator<AnswerPart> {
    const stopped = new AbortController();
    const opened = await this.#atOneOf(signal, this.#boundOf(request), async (address, bounded) => {
      // What bounds the first part must not end those behind it.
      const waiting = new AbortController();
      const give = (): void => waiting.abort(bounded.reason);
      bounded.addEventListener("abort", give, { once: true });
      const either = AbortSignal.any([waiting.signal, signal, stopped.signal]);
      const rest = address.transport.parts(this.#behind(request), either)[Symbol.asyncIterator]();
      try {
        return { address, rest, first: await rest.next() };
      } finally {
        bounded.removeEventListener("abort", give);
      }
    });
    try {
      for (let next = opened.first; next.done !== true; next = await opened.rest.next()) {
        if ("end" in next.value) this.#see(next.value.end);
        yield next.value;
      }
    } catch (error) {
      if (!signal.aborted && isElsewhereBetter(error)) this.#failed(opened.address, error);
      throw error;
    } finally {
      stopped.abort();
      await opened.rest.return?.();
    }
  }

  /** Without an idempotency key nobody else is asked: the events may be stored. */
  async produce(call: ProduceCall, signal: AbortSignal): Promise<Produced> {
    const answerMs = call.idempotencyKey === undefined ? undefined : this.#options.answerMs;
    return await this.#atOneOf(signal, answerMs, ({ transport }, bounded) => transport.produce(call, bounded));
  }

  close(): void {
    this.#closed.abort();
    for (const { transport } of this.#addresses) transport.close();
  }

  /** A question that may take longer at the server is waited for that long. */
  #boundOf(request: object): number {
    const { timeoutMs = 0 } = request as { readonly timeoutMs?: number };
    return Math.max(this.#options.answerMs, timeoutMs + this.#options.answerMs / 4);
  }

  /** @param answerMs of each address but the last; undefined: one alone is asked */
  async #atOneOf<T>(
    signal: AbortSignal,
    answerMs: number | undefined,
    use: (address: Address, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const left = new Set(this.#addresses);
    for (;;) {
      const address = this.#pick([...left]);
      left.delete(address);
      const isLast = answerMs === undefined || left.size === 0;
      try {
        return await this.#at(address, signal, isLast ? undefined : answerMs, use);
      } catch (error) {
        if (signal.aborted || !isElsewhereBetter(error)) throw error;
        this.#failed(address, error);
        if (isLast) throw error;
      }
    }
  }

  /** The last one has all the time that the call has. */
  async #at<T>(
    address: Address,
    signal: AbortSignal,
    answerMs: number | undefined,
    use: (address: Address, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const late = new AbortController();
    const cancel =
      answerMs === undefined ? undefined : this.#ports.timers.after(answerMs, () => late.abort(tooLate(answerMs)));
    address.inFlight++;
    try {
      const result = await use(address, answerMs === undefined ? signal : AbortSignal.any([signal, late.signal]));
      address.failures = 0;
      address.restUntilMs = -Infinity;
      return result;
    } finally {
      address.inFlight--;
      cancel?.();
    }
  }

  #pick(from: readonly Address[]): Address {
    const nowMs = this.#ports.clock.monotonicMs();
    for (const address of from) if (address.failures > 0 && address.restUntilMs <= nowMs) this.#probe(address);
    const well = from.filter(({ failures }) => failures === 0);
    // Nobody is well: the one whose rest ends first may be so by now.
    if (well.length === 0) return from.reduce((best, each) => (each.restUntilMs < best.restUntilMs ? each : best));
    const first = this.#ports.random.below(well.length);
    const second = (first + 1 + this.#ports.random.below(Math.max(1, well.length - 1))) % well.length;
    return well[first]!.inFlight <= well[second]!.inFlight ? well[first]! : well[second]!;
  }

  #failed(address: Address, error: RdgError): void {
    const { clock, random } = this.#ports;
    const boundMs = Math.min(restMsMax, restMsFirst * 2 ** Math.min(address.failures, 20));
    // What is only behind is well again soon.
    const restMs = error.code === "not_applied_yet" ? restMsFirst : Math.max(error.retryAfterMs ?? 0, boundMs);
    address.failures++;
    address.restUntilMs = clock.monotonicMs() + restMs / 2 + random.below(Math.ceil(restMs / 2));
  }

  /** Asks whether it is ready, beside the requests that go elsewhere. */
  #probe(address: Address): void {
    if (address.probing) return;
    address.probing = true;
    const late = new AbortController();
    const cancel = this.#ports.timers.after(probeMs, () => late.abort(tooLate(probeMs)));
    const failed = (cause: unknown): void => {
      const isTold = cause instanceof RdgError;
      this.#failed(address, isTold ? cause : new RdgError("unavailable", "no_answer", "It is not ready.", { cause }));
    };
    address.transport
      .ready(AbortSignal.any([late.signal, this.#closed.signal]))
      .then((ready) => {
        if (ready) address.failures = 0;
        else failed(undefined);
      }, failed)
      .finally(() => {
        address.probing = false;
        cancel();
      });
  }

  /** The request, so that it is answered as of what was shown before, or later. */
  #behind(request: object): object {
    if (!this.#options.monotonic || this.#seen.size === 0) return request;
    const wanted = new Map(this.#seen);
    for (const position of (request as { readonly waitFor?: readonly string[] }).waitFor ?? []) note(wanted, position);
    return { ...request, waitFor: [...wanted].map(([partition, offset]) => `${partition}@${offset}`) };
  }

  #see(answer: unknown): void {
    if (!this.#options.monotonic || typeof answer !== "object" || answer === null) return;
    const { asOf } = answer as { readonly asOf?: unknown };
    if (!Array.isArray(asOf)) return;
    for (const position of asOf) if (typeof position === "string") note(this.#seen, position);
    for (const partition of this.#seen.keys()) {
      if (this.#seen.size <= seenMax) break;
      this.#seen.delete(partition);
    }
  }
}

/** `events.playback/0@1234` */
function note(offsets: Map<string, number>, position: string): void {
  const at = position.lastIndexOf("@");
  const [partition, offset] = [position.slice(0, at), Number(position.slice(at + 1))];
  if (!(offset <= (offsets.get(partition) ?? -1))) offsets.set(partition, offset);
}

/** Whether another address may answer what this one did not. */
function isElsewhereBetter(error: unknown): error is RdgError {
  return error instanceof RdgError && (error.kind === "unavailable" || error.kind === "overloaded");
}

function tooLate(ms: number): RdgError {
  return new RdgError("unavailable", "no_answer", `There was no answer within ${ms} ms.`, { hint: "Ask again." });
}
