// A client that reads all the time from several serving processes: it asks the next one where one does not answer, and holds every answer to what was acknowledged.
import type { Random } from "../../src/core/random.ts";
import { peopleIds, type Visits } from "./visits.ts";

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

export class Reader {
  /** Answers that were wrong. */
  readonly wrong: string[] = [];
  /** Reads that nobody answered, and why. */
  readonly refused: string[] = [];
  answered = 0;
  /** Reads that waited for what was acknowledged and were told that it takes longer. */
  late = 0;
  /** Reads that were answered by another process than the first one that was asked. */
  passedOn = 0;
  readonly #visits: Visits;
  readonly #servers: () => readonly string[];
  readonly #random: Random;

  constructor(visits: Visits, servers: readonly string[] | Balancer, random: Random) {
    this.#visits = visits;
    this.#servers = servers instanceof Balancer ? () => servers.ready : () => servers;
    this.#random = random;
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
    const atLeast = this.#visits.visitsOf(person);
    const positions = this.#visits.positions;
    const servers = this.#servers();
    const first = this.#random.below(Math.max(1, servers.length));
    const refusals: string[] = [];
    let late: string | undefined;
    for (let i = 0; i < servers.length; i++) {
      const url = servers[(first + i) % servers.length]!;
      try {
        const [level] = await this.#visits.read(url, [person], positions);
        this.answered++;
        if (i > 0) this.passedOn++;
        const told = Number(level!.nodes[0]?.properties["visits"] ?? 0);
        if (told < atLeast) this.wrong.push(`${url} told of ${told} visits of ${person}, not of ${atLeast}`);
        return;
      } catch (error) {
        const refusal = String((error as Error).cause ?? error);
        refusals.push(`${url}: ${refusal}`);
        if (refusal.includes("not_applied_yet")) late = url;
      }
    }
    // Nobody has it yet: what is there now must be told all the same.
    if (late !== undefined && (await this.#visits.read(late, [person], []).catch(() => undefined)) !== undefined) {
      this.answered++;
      this.late++;
      return;
    }
    this.refused.push(refusals.join("; "));
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
