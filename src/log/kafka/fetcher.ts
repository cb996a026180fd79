// Reads partitions from many brokers at once, batch by batch: one request per broker on its way while the answers before it are taken.
import type { ConnectionPool } from "@platformatic/kafka";
import { RdgError } from "../../core/errors.ts";
import { Wake } from "../../core/wake.ts";
import { failureOf, type KafkaCluster, type TopicPartition } from "./cluster.ts";
import { isTransient, kafkaFailed } from "./failures.ts";
import { type BatchHead, batchesIn } from "./record-batch.ts";
import { AbortedTransactions, offsetOutOfRange } from "./scan.ts";
import { type Fetched, fetchRecords } from "./wire.ts";

export interface Cursor {
  readonly place: TopicPartition;
  /** Offset that is read next. */
  next: number;
  /** Last offset to read, inclusive. */
  readonly until: number;
}

export interface FetchedBatch<C extends Cursor> {
  readonly cursor: C;
  /** Records before it were told already, or not asked for. */
  readonly from: number;
  readonly head: BatchHead;
}

export interface FetcherOptions<C extends Cursor> {
  readonly cluster: KafkaCluster;
  readonly cursors: readonly C[];
  /** Ends the reading quietly. */
  readonly signal: AbortSignal | undefined;
  /** Ends it with an error when it tells one. */
  readonly closed: AbortSignal;
}

interface Answer {
  readonly broker: number;
  readonly fetched: readonly Fetched[];
  readonly error?: unknown;
}

export async function* fetchBatches<C extends Cursor>(options: FetcherOptions<C>): AsyncGenerator<FetchedBatch<C>> {
  const fetcher = new Fetcher(options);
  try {
    for (;;) {
      const batches = await fetcher.next();
      if (batches === undefined) return;
      yield* batches;
    }
  } finally {
    fetcher.close();
  }
}

class Fetcher<C extends Cursor> {
  readonly #options: FetcherOptions<C>;
  readonly #pool: ConnectionPool;
  readonly #wake = new Wake();
  readonly #answers: Answer[] = [];
  readonly #asked = new Set<number>();
  readonly #ring = (): void => this.#wake.ring();
  /** Repeated calls without an answer since. */
  #failingSinceMs: number | undefined;
  #delayMs = 0;

  constructor(options: FetcherOptions<C>) {
    this.#options = options;
    this.#pool = options.cluster.openPool();
    options.signal?.addEventListener("abort", this.#ring);
    options.closed.addEventListener("abort", this.#ring);
  }

  /** Undefined at the end. */
  async next(): Promise<FetchedBatch<C>[] | undefined> {
    const { cluster, cursors, signal, closed } = this.#options;
    for (;;) {
      if (closed.aborted) throw closed.reason as RdgError;
      if (signal?.aborted === true || cursors.every(isDone)) return undefined;
      try {
        await this.#ask();
      } catch (error) {
        await this.#failed(error);
        continue;
      }
      await this.#wake.wait();
      const answer = this.#answers.shift();
      if (answer === undefined) continue;
      if (this.#answers.length > 0) this.#wake.ring();
      if (answer.error !== undefined) {
        await this.#failed(answer.error);
        continue;
      }
      this.#failingSinceMs = undefined;
      const batches: FetchedBatch<C>[] = [];
      try {
        for (const fetched of answer.fetched) await this.#take(fetched, batches);
      } catch (error) {
        if (error instanceof RdgError) throw error;
        await this.#failed(error);
      }
      if (batches.length === 0) continue;
      // The next answers come while these batches are looked at.
      await this.#ask().catch(() => cluster.forget());
      return batches;
    }
  }

  close(): void {
    this.#options.signal?.removeEventListener("abort", this.#ring);
    this.#options.closed.removeEventListener("abort", this.#ring);
    this.#options.cluster.closePool(this.#pool);
  }

  async #ask(): Promise<void> {
    const { cluster, cursors } = this.#options;
    const byBroker = new Map<number, C[]>();
    for (const cursor of cursors) {
      if (isDone(cursor)) continue;
      const broker = await cluster.brokerOf(cursor.place);
      const together = byBroker.get(broker);
      if (together === undefined) byBroker.set(broker, [cursor]);
      else together.push(cursor);
    }
    for (const [broker, mine] of byBroker) {
      if (this.#asked.has(broker)) continue;
      this.#asked.add(broker);
      void this.#fetch(broker, mine).then((answer) => {
        this.#asked.delete(broker);
        this.#answers.push(answer);
        this.#wake.ring();
      });
    }
  }

  async #fetch(broker: number, cursors: readonly C[]): Promise<Answer> {
    const { cluster } = this.#options;
    const { fetchWaitMs: waitMs, fetchBytesMax: bytesMax } = cluster.settings;
    try {
      const connection = await cluster.connection(broker, this.#pool);
      const partitions = cursors.map(({ place, next }) => ({ ...place, offset: next }));
      const fetched = await fetchRecords.async(connection, { waitMs, bytesMax, committedOnly: true, partitions });
      return { broker, fetched };
    } catch (error) {
      return { broker, fetched: [], error };
    }
  }

  async #take(fetched: Fetched, batches: FetchedBatch<C>[]): Promise<void> {
    const { topic, partition, errorCode, records } = fetched;
    const cursor = this.#options.cursors.find(({ place }) => place.topic === topic && place.partition === partition)!;
    if (errorCode === offsetOutOfRange) return await this.#moveIntoRange(cursor);
    if (errorCode !== 0) throw failureOf(errorCode);
    if (records === undefined) return;
    const aborted = new AbortedTransactions(fetched.aborted);
    for (const head of batchesIn(records, `${topic}/${partition}`)) {
      if (head.lastOffset < cursor.next) {
        aborted.shows(head);
        continue;
      }
      if (isDone(cursor)) return;
      const from = cursor.next;
      const shown = aborted.shows(head);
      cursor.next = head.lastOffset + 1;
      if (shown && head.baseOffset <= cursor.until && head.count > 0) batches.push({ cursor, from, head });
    }
  }

  /** Retention has removed the place: reading goes on at the first kept record. Or nothing is there yet. */
  async #moveIntoRange(cursor: C): Promise<void> {
    const { cluster } = this.#options;
    const [first] = await cluster.offsets([cursor.place], "first");
    if (first! > cursor.next) cursor.next = first!;
    else await cluster.timers.sleep(cluster.settings.fetchWaitMs);
  }

  async #failed(error: unknown): Promise<void> {
    const { cluster, closed, signal, cursors } = this.#options;
    if (closed.aborted || signal?.aborted === true) return;
    const { topic } = cursors[0]!.place;
    const nowMs = cluster.clock.monotonicMs();
    this.#delayMs = this.#failingSinceMs === undefined ? firstDelayMs : Math.min(2 * this.#delayMs, delayMsMax);
    this.#failingSinceMs ??= nowMs;
    if (!isTransient(error) || nowMs - this.#failingSinceMs > cluster.settings.retryForMs)
      throw kafkaFailed(error, "read", topic);
    cluster.forget();
    await cluster.timers.sleep(this.#delayMs);
  }
}

const firstDelayMs = 20;
const delayMsMax = 1_000;

const isDone = ({ next, until }: Cursor): boolean => next > until;
