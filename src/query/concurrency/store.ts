// A store whose calls go through adaptive limits, one for reads of nodes and one for reads of adjacency, and end with their request: when its caller has gone or
// its deadline has passed, also where the store does not answer at all.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { UpdateFrame } from "../../log/port.ts";
import type {
  AdjacencyBatch,
  AdjacencyRequest,
  AppliedPositions,
  Degree,
  DegreesRequest,
  Difference,
  EdgeRequest,
  EdgeRow,
  NodeRows,
  NodesRequest,
  ReaderOptions,
  ScannedElement,
  Store,
  StoreCapabilities,
  StoreReader,
  StoreStatistics,
} from "../../store/port.ts";
import { AdaptiveLimit, type CallOutcome, type LimitFigures, type Permit, lateError } from "./adaptive-limit.ts";

export interface LimitedStoreOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** What a call's time is compared by: it grows with so many nodes or edges. */
const unit = 100;

/** Of the time that is left when a reader is opened, what reads of adjacency may take: the nodes that they found have to be read, too. */
const adjacencyShare = 0.8;

/** A call that was given up holds its place until it ends, at most so long: a store that ignores the signal is not given more and more. */
const writtenOffMs = 5_000;

export class LimitedStore implements Store {
  readonly capabilities: StoreCapabilities;
  readonly #options: LimitedStoreOptions;
  readonly #nodes: AdaptiveLimit;
  readonly #adjacency: AdaptiveLimit;

  constructor(options: LimitedStoreOptions) {
    const { store, clock, timers } = options;
    this.capabilities = store.capabilities;
    this.#options = options;
    this.#nodes = new AdaptiveLimit({ name: "node reads", clock, timers });
    this.#adjacency = new AdaptiveLimit({ name: "adjacency reads", clock, timers });
  }

  get figures(): readonly LimitFigures[] {
    return [this.#nodes.figures, this.#adjacency.figures];
  }

  apply(frame: UpdateFrame): Promise<void> {
    return this.#options.store.apply(frame);
  }

  applied(): Promise<AppliedPositions> {
    return this.#options.store.applied();
  }

  reader(options: ReaderOptions = {}): StoreReader {
    const { store, clock, timers } = this.#options;
    return new LimitedReader(store.reader(options), this.#nodes, this.#adjacency, clock, timers, options.deadlineMs);
  }

  verify(signal?: AbortSignal): AsyncIterable<Difference> {
    return this.#options.store.verify(signal);
  }

  scan(signal?: AbortSignal): AsyncIterable<ScannedElement> {
    return this.#options.store.scan(signal);
  }

  statistics(): Promise<StoreStatistics> {
    return this.#options.store.statistics();
  }

  close(): Promise<void> {
    return this.#options.store.close();
  }
}

class LimitedReader implements StoreReader {
  readonly #reader: StoreReader;
  readonly #nodes: AdaptiveLimit;
  readonly #adjacency: AdaptiveLimit;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #deadline: Deadline;
  readonly #adjacencyDeadline: Deadline;

  constructor(
    reader: StoreReader,
    nodes: AdaptiveLimit,
    adjacency: AdaptiveLimit,
    clock: Clock,
    timers: Timers,
    deadlineMs: number | undefined,
  ) {
    this.#reader = reader;
    this.#nodes = nodes;
    this.#adjacency = adjacency;
    this.#clock = clock;
    this.#timers = timers;
    const leftMs = deadlineMs === undefined ? Infinity : Math.max(0, deadlineMs - clock.monotonicMs());
    this.#deadline = new Deadline(clock, timers, leftMs, nodes.name);
    this.#adjacencyDeadline = new Deadline(clock, timers, leftMs * adjacencyShare, adjacency.name);
  }

  find(type: number, ids: readonly string[], signal: AbortSignal): Promise<Int32Array> {
    return this.#call(this.#nodes, this.#deadline, signal, ids.length, (either) =>
      this.#reader.find(type, ids, either),
    );
  }

  id(type: number, reference: number): string {
    return this.#reader.id(type, reference);
  }

  nodes(request: NodesRequest, signal: AbortSignal): Promise<NodeRows> {
    const { length } = request.references;
    return this.#call(this.#nodes, this.#deadline, signal, length, (either) => this.#reader.nodes(request, either));
  }

  edge(request: EdgeRequest, signal: AbortSignal): Promise<EdgeRow | undefined> {
    return this.#call(this.#adjacency, this.#adjacencyDeadline, signal, 1, (either) =>
      this.#reader.edge(request, either),
    );
  }

  degrees(request: DegreesRequest, signal: AbortSignal): Promise<readonly Degree[]> {
    const { length } = request.references;
    return this.#call(this.#adjacency, this.#adjacencyDeadline, signal, length, (either) =>
      this.#reader.degrees(request, either),
    );
  }

  /** Only the time in which the store is waited for counts as the call's. */
  async *adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncIterable<AdjacencyBatch> {
    const deadline = this.#adjacencyDeadline;
    const either = AbortSignal.any([signal, deadline.signal]);
    const permit = await this.#adjacency.enter({ signal: either, deadlineMs: deadline.atMs });
    const stream = this.#reader.adjacency(request, either)[Symbol.asyncIterator]();
    let [tookMs, batches] = [0, 0];
    let asked: Promise<unknown> = Promise.resolve();
    let outcome: CallOutcome = "fine";
    let fromMs = this.#clock.monotonicMs();
    try {
      for (;;) {
        fromMs = this.#clock.monotonicMs();
        const next = stream.next();
        asked = next;
        const { value, done } = await orAborted(next, either);
        tookMs += this.#clock.monotonicMs() - fromMs;
        if (done === true) return;
        batches++;
        yield value;
      }
    } catch (error) {
      outcome = outcomeOf(error, signal, deadline);
      tookMs += this.#clock.monotonicMs() - fromMs;
      throw error;
    } finally {
      const ended = asked.then(() => stream.return?.()).then(ignore, ignore);
      this.#endWith(ended, permit, outcome, tookMs, Math.max(1, batches));
      // Not waited for when given up: a store that hangs would hold the request.
      if (!either.aborted) await ended;
    }
  }

  close(): void {
    this.#deadline.cancel();
    this.#adjacencyDeadline.cancel();
    this.#reader.close();
  }

  async #call<T>(
    limit: AdaptiveLimit,
    deadline: Deadline,
    signal: AbortSignal,
    elements: number,
    call: (either: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const either = AbortSignal.any([signal, deadline.signal]);
    const permit = await limit.enter({ signal: either, deadlineMs: deadline.atMs });
    const fromMs = this.#clock.monotonicMs();
    const units = Math.max(1, elements / unit);
    const answer = call(either);
    try {
      const answered = await orAborted(answer, either);
      permit.end("fine", this.#clock.monotonicMs() - fromMs, units);
      return answered;
    } catch (error) {
      const outcome = outcomeOf(error, signal, deadline);
      this.#endWith(answer.then(ignore, ignore), permit, outcome, this.#clock.monotonicMs() - fromMs, units);
      throw error;
    }
  }

  /** Ends the permit when the call has ended or is written off. */
  #endWith(ended: Promise<void>, permit: Permit, outcome: CallOutcome, tookMs: number, units: number): void {
    const cancel = this.#timers.after(writtenOffMs, () => permit.end("failed", tookMs, units));
    void ended.then(() => {
      cancel();
      permit.end(outcome, tookMs, units);
    });
  }
}

/** A moment at which calls are given up. */
class Deadline {
  /** Monotonic. */
  readonly atMs: number;
  readonly #late = new AbortController();
  readonly #cancel: (() => void) | undefined;

  constructor(clock: Clock, timers: Timers, leftMs: number, what: string) {
    this.atMs = clock.monotonicMs() + leftMs;
    if (leftMs < Infinity) this.#cancel = timers.after(leftMs, () => this.#late.abort(lateError(what)));
  }

  get signal(): AbortSignal {
    return this.#late.signal;
  }

  cancel(): void {
    this.#cancel?.();
  }
}

/** Of what a call threw: whether it says that the store has too much to do. */
function outcomeOf(error: unknown, signal: AbortSignal, deadline: Deadline): CallOutcome {
  if (signal.aborted) return "ignored";
  if (deadline.signal.aborted) return "late";
  if (!(error instanceof RdgError)) return "failed";
  return ["unavailable", "overloaded", "internal"].includes(error.kind) ? "failed" : "ignored";
}

function ignore(): void {}

/** The promise's outcome, or the signal's reason as soon as it is aborted. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason as Error);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}
