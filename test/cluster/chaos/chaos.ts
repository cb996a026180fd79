// Faults at random, every kind once before any comes again: what was done is counted, undone after a while, and whoever suffered must answer again.
import type { Random } from "../../../src/core/random.ts";
import type { Excuses } from "./excuses.ts";

/** One thing that may happen. */
export interface Fault {
  /** As in reports, such as `kill gateway`: several of one kind may happen to different victims. */
  readonly kind: string;
  /** Names of those that nothing else happens to meanwhile. */
  readonly victims: readonly string[];
  /** URLs of serving processes that may leave reads unanswered meanwhile. */
  readonly excused: readonly string[];
  strike(): Promise<void>;
  heal(): Promise<void>;
}

export interface ChaosOptions {
  readonly random: Random;
  readonly faults: readonly Fault[];
  readonly excuses: Excuses;
  /** URLs of serving processes that stand in for each other: mostly one of them is well. */
  readonly groups: readonly (readonly string[])[];
  /** Resolves when the serving process answers, with false after a while. */
  readonly answers: (url: string) => Promise<boolean>;
  readonly tell: (line: string) => void;
}

/** Between two faults. */
const betweenMs = { least: 300, most: 1_900 };
const hurtMs = { least: 100, most: 5_000 };
/** Longer than sessions last: who comes back after it was given up by others. */
const longHurtMs = { least: 7_000, most: 12_000 };
const longOf = 6;
/** So seldom all of a group are hurt at once. */
const wholeGroupOf = 8;
/** After everything that it needs is there again. */
const answersWithinMs = 120_000;

export class Chaos {
  readonly #options: ChaosOptions;
  readonly #kinds: ReadonlyMap<string, readonly Fault[]>;
  #deck: string[] = [];
  readonly #hurt = new Set<string>();
  readonly #healing: Promise<void>[] = [];
  #failure: Error | undefined;
  /** How often, by kind of fault. */
  readonly injected = new Map<string, number>();

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#kinds = Map.groupBy(options.faults, ({ kind }) => kind);
  }

  /** Injects faults for so long; resolves when everybody is well again. @throws when somebody does not recover */
  async rage(forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs;
    while (performance.now() < untilMs && this.#failure === undefined) {
      await sleep(this.#between(betweenMs));
      await this.#strike();
    }
    await Promise.all(this.#healing);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #strike(): Promise<void> {
    const fault = this.#next();
    if (fault === undefined) return;
    for (const victim of fault.victims) this.#hurt.add(victim);
    const { excuses, random, tell } = this.#options;
    excuses.begin(fault.excused);
    this.injected.set(fault.kind, (this.injected.get(fault.kind) ?? 0) + 1);
    const forMs = this.#between(random.below(longOf) === 0 ? longHurtMs : hurtMs);
    tell(`${fault.kind} (${fault.victims.join(", ")}) for ${forMs} ms`);
    this.#healing.push(
      this.#suffer(fault, forMs).catch((error: unknown) => {
        this.#failure ??= new Error(`After "${fault.kind}" (${fault.victims.join(", ")}): ${String(error)}`, {
          cause: error,
        });
      }),
    );
  }

  async #suffer(fault: Fault, forMs: number): Promise<void> {
    const { excuses, tell } = this.#options;
    await fault.strike();
    await sleep(forMs);
    await fault.heal();
    for (const victim of fault.victims) this.#hurt.delete(victim);
    tell(`${fault.kind} (${fault.victims.join(", ")}) is over`);
    await Promise.all(fault.excused.map((url) => this.#answersAgain(url)));
    excuses.end(fault.excused);
  }

  async #answersAgain(url: string): Promise<void> {
    const { excuses, answers } = this.#options;
    let wellSinceMs = performance.now();
    while (!(await answers(url))) {
      // Whatever else befell it meanwhile: its time begins anew.
      if (excuses.hasOthers(url)) wellSinceMs = performance.now();
      if (performance.now() - wellSinceMs > answersWithinMs)
        throw new Error(`${url} does not answer although all that it needs is there again`);
    }
  }

  /** Of the next kind in the deck whose victim is well. */
  #next(): Fault | undefined {
    const { random } = this.#options;
    if (this.#deck.length === 0) this.#deck = shuffled([...this.#kinds.keys()], random);
    const mayHurtAll = random.below(wholeGroupOf) === 0;
    for (const [i, kind] of this.#deck.entries()) {
      const possible = this.#kinds.get(kind)!.filter((fault) => {
        const areWell = fault.victims.every((each) => !this.#hurt.has(each));
        return areWell && (mayHurtAll || !this.#leavesNone(fault));
      });
      if (possible.length === 0) continue;
      this.#deck.splice(i, 1);
      return possible[random.below(possible.length)];
    }
    return undefined;
  }

  /** Of some group, where one was well. What all of them need is another matter. */
  #leavesNone({ excused }: Fault): boolean {
    const { excuses, groups } = this.#options;
    const nowMs = performance.now();
    return groups.some((group) => {
      const others = group.filter((url) => !excused.includes(url));
      return others.length > 0 && others.length < group.length && others.every((url) => excuses.had(url, nowMs));
    });
  }

  #between({ least, most }: { readonly least: number; readonly most: number }): number {
    return least + this.#options.random.below(most - least);
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.below(left.length), 1)[0]!);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
