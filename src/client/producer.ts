// Events sent one by one, stored in batches: bounded memory, order kept per key, each event once however often its batch has to be sent.
//
// One batch is open and takes what comes; it goes out when it has waited long enough and a request is free, or when it is full. While all requests are taken
// it grows. A batch keeps its idempotency key over all attempts, so the server stores it once.
import { RdgError } from "../core/errors.ts";
import { randomId } from "../core/random.ts";
import { utf8Length } from "../model/avro/json-values.ts";
import type { AnyEvent, AnySideInput } from "../model/define/declaration.ts";
import { type CallPorts, call } from "./calls.ts";
import { EventBatch, type PendingEvent, type Sent, withoutRefused } from "./event-batch.ts";
import { eventJson, targetOf } from "./event-json.ts";
import { type ProducerOptions, optionsOf } from "./producer-options.ts";
import type { ProduceCall, Transport } from "./transport.ts";

export interface SendOptions {
  /** Aborted before the event has gone out, it is not sent; behind that it may have been stored. Either way the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface EventProducer<V> {
  /**
   * Resolves when the event is durable. Events of one key are stored in the order of these calls, except behind one that failed. The value must not be changed
   * before that.
   * @throws RdgError invalid, `bad_records`: the event is not valid, others are not touched; overloaded, `producer_full`; closed; what delivery failed with
   */
  send(value: V, options?: SendOptions): Promise<Sent>;
  /** Sends all of them, reading as fast as they become durable, and resolves when the last one is. Stops at the first failure and rejects with it. */
  sendAll(values: Iterable<V> | AsyncIterable<V>, options?: SendOptions): Promise<{ readonly accepted: number }>;
  /** Sends what is waiting; resolves when everything that was sent before is durable or has failed. */
  flush(): Promise<void>;
  /** Takes no more, then `flush`. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** Events that are neither durable nor failed, those that wait for room included. */
  readonly pending: number;
  readonly bufferedBytes: number;
}

export class BatchingProducer implements EventProducer<object> {
  readonly #transport: Transport;
  readonly #ports: CallPorts;
  readonly #target: ProduceCall["target"];
  readonly #keyField: string;
  readonly #options: Required<ProducerOptions>;
  #open = new EventBatch();
  /** The open batch has waited long enough. */
  #isDue = false;
  readonly #full = new Set<EventBatch>();
  #inFlight = 0;
  /** By key: the last batch that holds an event of it. */
  readonly #lastOf = new Map<string, EventBatch>();
  readonly #waiting = new Set<() => void>();
  #bufferedBytes = 0;
  readonly #unsettled = new Set<Promise<void>>();
  #isClosed = false;

  constructor(
    event: Pick<AnyEvent | AnySideInput, "kind" | "name"> & { readonly model: { readonly key: string } },
    options: ProducerOptions,
    transport: Transport,
    ports: CallPorts,
  ) {
    this.#target = targetOf(event);
    this.#keyField = event.model.key;
    this.#transport = transport;
    this.#ports = ports;
    this.#options = optionsOf(options);
  }

  get pending(): number {
    return this.#unsettled.size;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  async send(value: object, { signal }: SendOptions = {}): Promise<Sent> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw closed();
    const sent = this.#accept(value, signal);
    const settled: Promise<void> = sent.then(
      () => void this.#unsettled.delete(settled),
      () => void this.#unsettled.delete(settled),
    );
    this.#unsettled.add(settled);
    return sent;
  }

  async sendAll(
    values: Iterable<object> | AsyncIterable<object>,
    options?: SendOptions,
  ): Promise<{ accepted: number }> {
    const underWayMax = this.#options.batch * (this.#options.inFlightMax + 1);
    const underWay = new Set<Promise<void>>();
    const failures: unknown[] = [];
    let accepted = 0;
    for await (const value of values) {
      const sent: Promise<void> = this.send(value, options)
        .then(
          () => void accepted++,
          (error: unknown) => void failures.push(error),
        )
        .finally(() => underWay.delete(sent));
      underWay.add(sent);
      if (underWay.size >= underWayMax) await Promise.race(underWay);
      if (failures.length > 0) break;
    }
    await Promise.all(underWay);
    if (failures.length > 0) throw failures[0];
    return { accepted };
  }

  async flush(): Promise<void> {
    this.#isDue = this.#open.events.length > 0;
    this.#pump();
    await Promise.all(this.#unsettled);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(value: object, signal: AbortSignal | undefined): Promise<Sent> {
    return new Promise((resolve, reject) => {
      const take = (): void => {
        // In here: a value that cannot be written as JSON fails this call only.
        try {
          this.#take(value, signal, resolve, reject);
        } catch (error) {
          reject(error);
        }
      };
      if (this.#waiting.size === 0 && this.#hasRoom()) return take();
      if (this.#waiting.size >= this.#options.waitingMax) return reject(full(this.#options.waitingMax));
      const giveUp = (): void => {
        if (this.#waiting.delete(enter)) reject(signal?.reason as Error);
      };
      const enter = (): void => {
        signal?.removeEventListener("abort", giveUp);
        take();
      };
      this.#waiting.add(enter);
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  #hasRoom(): boolean {
    return this.#bufferedBytes < this.#options.bufferedBytesMax;
  }

  #take(
    value: object,
    signal: AbortSignal | undefined,
    resolve: (sent: Sent) => void,
    reject: (error: unknown) => void,
  ): void {
    const line = eventJson(value);
    const bytes = utf8Length(line) + 1;
    const key = String((value as Readonly<Record<string, unknown>>)[this.#keyField]);
    const giveUp = (): void => {
      event.isGivenUp = true;
      reject(signal?.reason);
    };
    const settle = (): void => signal?.removeEventListener("abort", giveUp);
    const event: PendingEvent = {
      line,
      bytes,
      key,
      isGivenUp: false,
      resolve(sent) {
        settle();
        resolve(sent);
      },
      reject(error) {
        settle();
        reject(error);
      },
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    const { batch, batchBytes } = this.#options;
    if (this.#open.events.length > 0 && this.#open.bytes + bytes > batchBytes) this.#full.add(this.#seal());
    if (this.#open.events.length === 0) void this.#linger(this.#open);
    this.#open.add(event, this.#lastOf.get(key));
    this.#lastOf.set(key, this.#open);
    this.#bufferedBytes += bytes;
    if (this.#open.events.length >= batch) this.#full.add(this.#seal());
    this.#pump();
  }

  async #linger(batch: EventBatch): Promise<void> {
    try {
      // A timer that keeps the process alive: somebody waits for the event.
      await this.#ports.timers.sleep(this.#options.lingerMs, batch.filled.signal);
    } catch {
      return;
    }
    this.#isDue = true;
    this.#pump();
  }

  /** Takes the open batch from those that it might still grow by. */
  #seal(): EventBatch {
    const batch = this.#open;
    batch.filled.abort();
    this.#open = new EventBatch();
    this.#isDue = false;
    return batch;
  }

  #pump(): void {
    for (const batch of this.#full) {
      if (this.#inFlight >= this.#options.inFlightMax) return;
      if (batch.waitsFor.size > 0) continue;
      this.#full.delete(batch);
      void this.#deliver(batch);
    }
    const open = this.#open;
    if (!this.#isDue || open.events.length === 0 || open.waitsFor.size > 0) return;
    if (this.#inFlight >= this.#options.inFlightMax) return;
    void this.#deliver(this.#seal());
  }

  async #deliver(batch: EventBatch): Promise<void> {
    this.#inFlight++;
    await this.#store(batch.events.filter((event) => !event.isGivenUp));
    this.#inFlight--;
    batch.end();
    this.#bufferedBytes -= batch.bytes;
    for (const { key } of batch.events) if (this.#lastOf.get(key) === batch) this.#lastOf.delete(key);
    for (const enter of this.#waiting) {
      if (!this.#hasRoom()) break;
      this.#waiting.delete(enter);
      enter();
    }
    this.#pump();
  }

  /** Settles every event; never rejects. */
  async #store(events: readonly PendingEvent[]): Promise<void> {
    const { deliveryTimeoutMs: timeoutMs } = this.#options;
    let rest = events;
    while (rest.length > 0) {
      const request = {
        target: this.#target,
        lines: rest.map(({ line }) => line),
        idempotencyKey: randomId(this.#ports.random),
      };
      try {
        const attempt = (signal: AbortSignal): Promise<Sent> => this.#transport.produce(request, signal);
        const { positions } = await call(attempt, { timeoutMs, retries: Infinity }, this.#ports);
        for (const event of rest) event.resolve({ positions });
        return;
      } catch (error) {
        const good = withoutRefused(rest, error);
        if (good === undefined) for (const event of rest) event.reject(error);
        rest = good ?? [];
      }
    }
  }
}

function closed(): RdgError {
  return new RdgError("closed", "producer_closed", "The producer is closed.", { hint: "Make another one." });
}

function full(waitingMax: number): RdgError {
  return new RdgError("overloaded", "producer_full", `${waitingMax} events wait for room already.`, {
    hint: "Wait for what send() returns, or use sendAll(), which reads no faster than events become durable.",
  });
}
