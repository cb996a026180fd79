// A client that reads all the time from several serving processes: it asks the next one where one does not answer, and holds every answer to what was acknowledged.
import type { Random } from "../../src/core/random.ts";
import { type Level, peopleIds, type Visits } from "./visits.ts";

const pauseMs = 5;
const lookEveryMs = 50;

/** As load balancers do: sends requests to those only that say they are ready. */
export class Balancer {
  #ready: readonly string[] = [];
  readonly #servers: readonly string[];
  readonly #looking: Promise<void>;
  #stopped = false;

  constructor(servers: readonly string[]) {
    this.#servers = servers;
    this.#looking = this.#look();
  }

  get ready(): readonly string[] {
    return this.#ready;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looking;
  }

  async #look(): Promise<void> {
    while (!this.#stopped) {
      const answers = await Promise.all(
        this.#servers.map((url) =>
          fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
            ({ status }) => status === 200,
            () => false,
          ),
        ),
      );
      this.#ready = this.#servers.filter((_, i) => answers[i]);
      await sleep(lookEveryMs);
    }
  }
}

/** Whether a server had a reason not to answer at some moment since then (of `performance.now`). */
export type MayFail = (server: string, sinceMs: number) => boolean;

/** For how long a server that has no reason may keep a read waiting: a busy machine is no fault. */
const answersWithinMs = 120_000;

export class Reader {
  /** Answers that were wrong. */
  readonly wrong: string[] = [];
  /** Reads that nobody answered, and why: with `mayFail`, those that nobody had to answer. */
  readonly refused: string[] = [];
  /** With `mayFail`: what servers said that had no reason not to answer. */
  readonly unexcused: string[] = [];
  asked = 0;
  answered = 0;
  /** Reads that waited for what was acknowledged and were told that it takes longer. */
  late = 0;
  /** Reads that were answered by another process than the first one that was asked. */
  passedOn = 0;
  readonly #visits: Visits;
  readonly #servers: () => readonly string[];
  readonly #random: Random;
  readonly #mayFail: MayFail | undefined;

  constructor(visits: Visits, servers: readonly string[] | Balancer, random: Random, mayFail?: MayFail) {
    this.#visits = visits;
    this.#servers = servers instanceof Balancer ? () => servers.ready : () => servers;
    this.#random = random;
    this.#mayFail = mayFail;
  }

  /** Resolves when so many more reads were answered. */
  async have(more: number): Promise<void> {
    const wanted = this.answered + more;
    while (this.answered < wanted && this.wrong.length === 0) await sleep(pauseMs);
  }

  /** In several lanes. */
  async readUntil(isOver: () => boolean): Promise<void> {
    const lane = async (): Promise<void> => {
      while (!isOver()) {
        await this.#read(peopleIds[this.#random.below(peopleIds.length)]!);
        await sleep(pauseMs);
      }
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
  }

  async #read(person: string): Promise<void> {
    this.asked++;
    const told: Asked = { person, atLeast: this.#visits.visitsOf(person), positions: this.#visits.positions };
    const beganMs = performance.now();
    for (;;) {
      const round = await this.#round(told);
      if (round.answered) return;
      const isAgain = round.well.length > 0 && performance.now() - beganMs < answersWithinMs;
      if (isAgain) continue;
      if (round.well.length > 0) this.unexcused.push(...round.well);
      this.refused.push(round.refusals.join("; "));
      return;
    }
  }

  /** Asks one after the other. */
  async #round({ person, atLeast, positions }: Asked): Promise<Round> {
    const servers = this.#servers();
    const first = this.#random.below(Math.max(1, servers.length));
    const refusals: string[] = [];
    const well: string[] = [];
    let late: string | undefined;
    for (let i = 0; i < servers.length; i++) {
      const url = servers[(first + i) % servers.length]!;
      const askedMs = performance.now();
      try {
        const [level] = await this.#visits.read(url, [person], positions);
        this.#answered(url, level!, { person, atLeast });
        if (i > 0) this.passedOn++;
        return { answered: true, refusals, well };
      } catch (error) {
        const refusal = `${url}: ${String((error as Error).cause ?? error)}`;
        refusals.push(refusal);
        if (refusal.includes("not_applied_yet")) late = url;
        else if (this.#mayFail?.(url, askedMs) === false) {
          well.push(refusal);
          // Connections end with the processes that they led to, and a client may notice late; time is the machine's.
          if (!/SocketError|ECONNRESET|EPIPE|TimeoutError/.test(refusal)) this.unexcused.push(refusal);
        }
      }
    }
    if (late === undefined) return { answered: false, refusals, well };
    // Nobody has it yet: what is there now must be told all the same.
    const askedMs = performance.now();
    try {
      const [level] = await this.#visits.read(late, [person], []);
      this.#answered(late, level!, { person, atLeast: 0 });
      this.late++;
      return { answered: true, refusals, well };
    } catch (error) {
      const refusal = `${late}, not waiting: ${String((error as Error).cause ?? error)}`;
      refusals.push(refusal);
      if (this.#mayFail?.(late, askedMs) === false) well.push(refusal);
      return { answered: false, refusals, well };
    }
  }

  #answered(url: string, level: Level, { person, atLeast }: Omit<Asked, "positions">): void {
    this.answered++;
    const told = Number(level.nodes[0]?.properties["visits"] ?? 0);
    const atMost = this.#visits.begunVisitsOf(person);
    if (told < atLeast || told > atMost)
      this.wrong.push(`${url} told of ${told} visits of ${person}, not of ${atLeast} to ${atMost}`);
  }
}

interface Asked {
  readonly person: string;
  readonly atLeast: number;
  readonly positions: string[];
}

interface Round {
  readonly answered: boolean;
  readonly refusals: readonly string[];
  /** Of those that had to answer. */
  readonly well: readonly string[];
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
