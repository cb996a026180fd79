// What is wrong with the world of a simulated process, and wrappers of its ports through which that is felt.
import { RdgError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/random.ts";
import type { EmbeddedLog } from "../../src/log/embedded/log.ts";
import type { JobOutput, JobWorker, Producer } from "../../src/log/port.ts";
import type { Store } from "../../src/store/port.ts";
import type { Fault, Operation } from "../log/simulated-disk.ts";

/** Each is on while its count is above 0: troubles may overlap. */
export class Faults {
  readonly random: Random;
  diskOneIn = Infinity;
  /** Calls of the log, and frames behind which a reader is broken off. */
  logOneIn = Infinity;
  readOneIn = Infinity;
  /** Calls that fail are not done; else half of them are, and only their answer is lost. */
  failsFirst = false;
  refusals = 0;
  delayMs = 0;

  constructor(random: Random) {
    this.random = random;
  }

  end(): void {
    this.diskOneIn = this.logOneIn = this.readOneIn = Infinity;
    this.refusals = 0;
  }

  strikes(oneIn: number): boolean {
    return oneIn !== Infinity && this.random.below(oneIn) === 0;
  }

  readonly disk = ({ name }: Operation): Fault | undefined => {
    if (!this.strikes(this.diskOneIn)) return undefined;
    const error = this.random.below(2) === 0 ? "EIO" : "ENOSPC";
    if (name === "write") {
      const writtenBytes = this.random.below(300);
      return this.random.below(2) === 0 ? { error, writtenBytes } : { writtenBytes: writtenBytes + 1 };
    }
    if (name === "sync" || name === "syncFolder" || name === "rename" || name === "truncate") return { error };
    return name === "read" || name === "open" ? { error: this.random.below(4) === 0 ? "EMFILE" : "EIO" } : undefined;
  };
}

function troubled(): RdgError {
  return new RdgError("unavailable", "simulated", "The log cannot say now.", { retryAfterMs: 50 });
}

/** A log whose calls fail now and then, before they are done or after: what a log on other machines would do. */
export function troubledLog(log: EmbeddedLog, faults: Faults): EmbeddedLog {
  const call = async <T>(done: () => Promise<T>): Promise<T> => {
    if (!faults.strikes(faults.logOneIn)) return done();
    if (faults.failsFirst || faults.random.below(2) === 0) throw troubled();
    await done();
    throw troubled();
  };
  const producerOf = (producer: Producer): Producer => ({
    append: (topic, partition, batch) => call(() => producer.append(topic, partition, batch)),
    close: () => producer.close(),
  });
  const outputOf = (output: JobOutput): JobOutput => {
    let failed = false;
    return {
      committed: output.committed,
      counters: output.counters,
      async commit(transaction) {
        // Whoever comes behind one that was not stored must not be stored.
        if (failed) throw troubled();
        try {
          return await call(() => output.commit(transaction));
        } catch (error) {
          failed = true;
          throw error;
        }
      },
      close: () => output.close(),
    };
  };
  const workerOf = (worker: JobWorker): JobWorker => ({
    async assignment(signal) {
      const assignment = await call(() => worker.assignment(signal));
      return { ...outputOf(assignment), partitions: assignment.partitions, ending: assignment.ending };
    },
    leave: () => worker.leave(),
  });
  async function* frames<F>(source: AsyncIterable<F>): AsyncGenerator<F, void, undefined> {
    for await (const frame of source) {
      yield frame;
      if (faults.strikes(faults.readOneIn)) throw troubled();
    }
  }
  const own: Partial<EmbeddedLog> = {
    producer: (name) => call(async () => producerOf(await log.producer(name))),
    jobOutput: (name) => call(async () => outputOf(await log.jobOutput(name))),
    joinJob: (name, topic) => call(async () => workerOf(await log.joinJob(name, topic))),
    read: (options) => frames(log.read(options)),
    readUpdates: (options) => frames(log.readUpdates(options)),
    bounds: (topic) => call(() => log.bounds(topic)),
    settled: (topic) => call(() => log.settled(topic)),
  };
  return overlaid(log, own);
}

/** A store that takes nothing while it is told to. */
export function troubledStore<S extends Store>(store: S, faults: Faults): S {
  return overlaid<Store>(store, {
    async apply(frame) {
      if (faults.refusals === 0) return store.apply(frame);
      throw new RdgError("unavailable", "memory_budget", "The store takes nothing now.", { retryAfterMs: 50 });
    },
  }) as S;
}

/** The target, with some of its methods replaced. */
export function overlaid<T extends object>(target: T, own: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(own, name)) return own[name as keyof T];
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
