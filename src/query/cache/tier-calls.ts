// Calls to the second tier that never fail and never wait for longer than they may: whatever the server does, whoever asks goes on without it.
//
// One connection at a time. When calls are late or fail too often it is given up, and a new one is made in the background, at growing intervals while that
// fails: no request is ever the one that finds out whether the server is back.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError, describeError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import type { CacheConnection, CacheEntry, CacheServer } from "./tier.ts";

export interface TierOptions {
  readonly server: CacheServer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** For how long one answer is waited for. */
  readonly timeoutMs: number;
  /** Told when the server goes away, with the reason, and when it is back. */
  readonly notice: (problem: RdgError | undefined) => void;
}

/** Counts grow from when the process started. */
export interface TierFigures {
  /** Its address. */
  readonly server: string;
  readonly connected: boolean;
  readonly calls: {
    readonly answered: number;
    /** Not answered in time: whoever asked went on. */
    readonly late: number;
    readonly failed: number;
    /** Not asked: there was no connection, or too much was under way. */
    readonly skipped: number;
  };
  readonly puts: { readonly stored: number; readonly failed: number; readonly skipped: number };
  /** How often the connection was given up because calls were late or failed. */
  readonly givenUp: number;
  /** Time waited for answers, late ones included. */
  readonly waitedMs: number;
  readonly keys: { readonly underWay: number; readonly max: number };
  readonly putBytes: { readonly underWay: number; readonly max: number };
}

const connectTimeoutMs = 5_000;
const retryFirstMs = 250;
const retryMostMs = 30_000;
/** A connection that served for so long was a good one: the next is made at once. */
const provenMs = 30_000;
/** The connection is given up when so many more calls were late or failed than a tenth of those that were answered. */
const strikesMax = 5;
const answerWorth = 0.1;
/** Asked for and not yet answered, late ones included: what the client holds for them is bounded by this. */
const keysUnderWayMax = 20_000;
const putBytesUnderWayMax = 8_000_000;

export class Tier {
  readonly #options: TierOptions;
  #connection: CacheConnection | undefined;
  #closed = false;
  #cancelRetry: () => void = () => undefined;
  #retryMs = retryFirstMs;
  #strikes = 0;
  #connectedMs = 0;
  #connections = 0;
  #away = false;
  readonly #calls = { answered: 0, late: 0, failed: 0, skipped: 0 };
  readonly #puts = { stored: 0, failed: 0, skipped: 0 };
  #givenUp = 0;
  #waitedMs = 0;
  #keysUnderWay = 0;
  #putBytesUnderWay = 0;

  /** Connects at once, in the background. */
  constructor(options: TierOptions) {
    this.#options = options;
    void this.#connect();
  }

  /** Another number: another connection, whose server may have forgotten everything. 0: none yet. */
  get connection(): number {
    return this.#connections;
  }

  get figures(): TierFigures {
    return {
      server: this.#options.server.address,
      connected: this.#connection !== undefined,
      calls: { ...this.#calls },
      puts: { ...this.#puts },
      givenUp: this.#givenUp,
      waitedMs: this.#waitedMs,
      keys: { underWay: this.#keysUnderWay, max: keysUnderWayMax },
      putBytes: { underWay: this.#putBytesUnderWay, max: putBytesUnderWayMax },
    };
  }

  /** Never rejects. Undefined: there is no answer, and another call would hardly get one. */
  async get(keys: readonly string[], patienceMs: number): Promise<readonly (Uint8Array | undefined)[] | undefined> {
    const connection = this.#connection;
    if (connection === undefined || this.#keysUnderWay + keys.length > keysUnderWayMax) {
      this.#calls.skipped++;
      return undefined;
    }
    const { clock, timers, timeoutMs } = this.#options;
    const begunMs = clock.monotonicMs();
    // Whole ones: timers of few different lengths are cheap.
    const waitMs = Math.ceil(Math.min(timeoutMs, patienceMs));
    this.#keysUnderWay += keys.length;
    return new Promise((resolve) => {
      let waiting = true;
      const giveUp = (): void => {
        waiting = false;
        this.#calls.late++;
        this.#waitedMs += clock.monotonicMs() - begunMs;
        resolve(undefined);
        this.#strike(connection, late(timeoutMs));
      };
      // Where this thread was busy the answer may be here, unread: what has arrived is read before the second timer.
      let cancel = timers.after(waitMs, () => (cancel = timers.after(0, giveUp)));
      const settle = (): void => {
        cancel();
        this.#keysUnderWay -= keys.length;
      };
      connection.get(keys).then(
        (values) => {
          settle();
          if (!waiting) return;
          this.#calls.answered++;
          this.#waitedMs += clock.monotonicMs() - begunMs;
          this.#strikes = Math.max(0, this.#strikes - answerWorth);
          resolve(values);
        },
        (error: unknown) => {
          settle();
          if (!waiting) return;
          this.#calls.failed++;
          resolve(undefined);
          this.#strike(connection, problemOf(error));
        },
      );
    });
  }

  /** Returns at once. What cannot be put now is left. */
  put(entries: readonly CacheEntry[]): void {
    const bytes = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    const connection = this.#connection;
    if (connection === undefined || this.#putBytesUnderWay + bytes > putBytesUnderWayMax) {
      this.#puts.skipped += entries.length;
      return;
    }
    this.#putBytesUnderWay += bytes;
    connection
      .put(entries)
      .then(
        () => (this.#puts.stored += entries.length),
        // A server that is full refuses what is put and still answers.
        () => (this.#puts.failed += entries.length),
      )
      .finally(() => (this.#putBytesUnderWay -= bytes));
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry();
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #connect(): Promise<void> {
    const { server, clock } = this.#options;
    let connection: CacheConnection;
    try {
      connection = await server.connect(connectTimeoutMs);
    } catch (error) {
      this.#retry(problemOf(error));
      return;
    }
    if (this.#closed) return connection.close();
    this.#connection = connection;
    this.#connections++;
    this.#strikes = 0;
    this.#connectedMs = clock.monotonicMs();
    this.#tell(undefined);
    await connection.ended;
    if (this.#connection === connection) this.#leave(connection, lost());
  }

  #strike(connection: CacheConnection, problem: RdgError): void {
    if (this.#connection !== connection || ++this.#strikes < strikesMax) return;
    this.#givenUp++;
    this.#leave(connection, problem);
  }

  #leave(connection: CacheConnection, problem: RdgError): void {
    this.#connection = undefined;
    connection.close();
    if (this.#options.clock.monotonicMs() - this.#connectedMs >= provenMs) this.#retryMs = retryFirstMs;
    this.#retry(problem);
  }

  #retry(problem: RdgError): void {
    if (this.#closed) return;
    this.#tell(problem);
    const { timers, random } = this.#options;
    // Many processes lose the same server at the same moment.
    const waitMs = this.#retryMs / 2 + random.below(this.#retryMs);
    this.#retryMs = Math.min(retryMostMs, this.#retryMs * 2);
    this.#cancelRetry = timers.after(waitMs, () => void this.#connect());
  }

  #tell(problem: RdgError | undefined): void {
    const away = problem !== undefined;
    if (away === this.#away) return;
    this.#away = away;
    this.#options.notice(problem);
  }
}

const hint = "Answers come from the store alone until the server is back; it is tried again at growing intervals.";

const late = (timeoutMs: number): RdgError =>
  new RdgError("unavailable", "cache_late", `The cache server did not answer within ${timeoutMs} ms.`, { hint });

const lost = (): RdgError =>
  new RdgError("unavailable", "cache_lost", "The connection to the cache server was lost.", { hint });

function problemOf(error: unknown): RdgError {
  if (error instanceof RdgError) return error;
  return new RdgError("unavailable", "cache_failed", `The cache server failed: ${describeError(error)}`, {
    hint,
    cause: error,
  });
}
