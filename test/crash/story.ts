// One folder's life: processes follow one another on it, each is killed, and each first shows that nothing was lost and nothing doubled by the end of the last.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { checkGraph, checkStore, type Moments } from "./check-graph.ts";
import { type Death, KillableProcess } from "./killable-process.ts";
import type { PowerFailure } from "./killable.ts";
import { type Phase, Producers, sleep } from "./producers.ts";
import { type KillPlan, momentsOf, stepNames, type StepName } from "./steps.ts";

export interface StoryOptions {
  readonly seed: number;
  readonly kills: number;
  /** Kills are power failures: what was not synced may be lost. */
  readonly power: boolean;
  /** Told of every kill: the step and moment, or `any time`. */
  readonly onKill: (at: string) => void;
}

/** Steps that come while a process starts; the others are waited for while it works. */
const startSteps: readonly StepName[] = ["lock", "metadata", "cut-tail", "registry", "keys", "definition", "start-up"];
/** Only a new folder comes to these, and every start to those. */
const firstSteps: readonly StepName[] = ["definition", "registry", "keys"];
const everyStart: readonly StepName[] = ["lock", "metadata", "start-up"];
const workSteps = stepNames.filter((step) => !startSteps.includes(step));
/** Steps that come when time has passed. */
const lateSteps: readonly StepName[] = ["retention", "compaction", "purge"];

/** How long a planned kill is waited for. */
const patienceMs = 250;
const minuteMs = 60_000;
/** No life lasts as long, however busy the machine is. */
const lifeMsMax = 3 * minuteMs;

export class Story {
  readonly #options: StoryOptions;
  readonly #random: Random;
  readonly #producers: Producers;
  readonly #killed = new Map<string, number>();
  #folder = "";
  #next = new KillableProcess();
  #current: KillableProcess | undefined;
  #offsetMs = 0;
  #latestMs = Date.now();
  #phase = 0;
  #kills = 0;
  #starts = 0;
  #hasPages = false;
  #lastDeath: string | undefined;
  #workSteps: StepName[] = [];

  constructor(options: StoryOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#producers = new Producers(seededRandom(options.seed + 1), this.#phaseNow());
  }

  /** @throws Error when anything acknowledged was lost or doubled, or a process failed by itself */
  async run(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "rdg-crash-"));
    try {
      while (this.#kills < this.#options.kills) await this.#inTime(this.#live());
      const last = await this.#start(undefined);
      await this.#prove(last!, true);
      const { code, signal } = await this.#close(last!);
      if (code !== 0) throw new Error(`The last process ended with ${code ?? signal}.\n${last!.messages}`);
    } finally {
      await this.#producers.stop();
      await Promise.all([this.#next.kill(), this.#current?.kill()]);
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  /** A process that hangs is a failure like any other. */
  async #inTime(life: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`A process hangs.\n${this.#current?.messages}`)), lifeMsMax);
    });
    try {
      await Promise.race([life, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  get #now(): number {
    return Date.now() + this.#offsetMs;
  }

  #phaseNow(): Phase {
    return { number: this.#phase, nowMs: () => this.#now };
  }

  #moments(): Moments {
    this.#latestMs = Math.max(this.#latestMs, this.#now);
    return { nowMs: this.#now, latestMs: this.#latestMs };
  }

  async #live(): Promise<void> {
    const running = await this.#start(this.#planOfStart());
    if (running === undefined) return;
    const gone = (): boolean => running.isDead;
    if (!this.#hasPages || this.#random.below(6) === 0) {
      await this.#producers.uploadPages(gone);
      this.#hasPages = !gone();
    }
    if (!(await this.#prove(running, this.#random.below(8) === 0))) return this.#count(await running.death);
    const kill = this.#planOfWork();
    await running.ask({ ask: "arm", kill });
    if (lateSteps.includes(kill.step) || this.#random.below(3) === 0) await this.#passTime(running);
    this.#producers.send();
    const death = await Promise.race([running.death, this.#work(running, kill)]);
    this.#count(death ?? (await running.kill()));
  }

  /** Undefined when it was killed while it started. */
  async #start(kill: KillPlan | undefined): Promise<KillableProcess | undefined> {
    const running = this.#next;
    this.#current = running;
    const data = join(this.#folder, "data");
    await mkdir(data, { recursive: true });
    const power: PowerFailure | undefined = this.#options.power
      ? { seed: this.#random.below(2 ** 31), stash: join(this.#folder, "stash") }
      : undefined;
    const opened = running.ask({ ask: "open", data, offsetMs: this.#offsetMs, kill, power });
    this.#next = new KillableProcess();
    const url = (await opened)?.url;
    this.#producers.url = url;
    if (url === undefined) {
      this.#count(await running.death);
      return undefined;
    }
    this.#starts++;
    // What the plan of the start was for is over.
    await running.ask({ ask: "arm", kill: undefined });
    return running;
  }

  /** False when the process was gone before. */
  async #prove(running: KillableProcess, thoroughly: boolean): Promise<boolean> {
    if (running.isDead) return false;
    await this.#producers.pause(() => running.isDead);
    const url = this.#producers.url!;
    await checkGraph(url, this.#producers.truth, () => this.#moments(), this.#phase);
    if (thoroughly) await checkStore(url);
    return true;
  }

  /** Now and then hours pass, or the clock is set back; then what is kept by time goes. */
  async #passTime(running: KillableProcess): Promise<void> {
    const back = this.#random.below(8) === 0;
    const ms = (back ? -this.#random.below(60) : 10 + this.#random.below(10)) * minuteMs;
    this.#moments();
    this.#offsetMs += ms;
    this.#phase++;
    this.#producers.enter(this.#phaseNow());
    await running.ask({ ask: "advance", ms });
  }

  /** Until it is killed, or the time for that is over: then it is killed at any time, or told to end. */
  async #work(running: KillableProcess, kill: KillPlan): Promise<Death | undefined> {
    await sleep(20 + this.#random.below(60));
    await running.ask({ ask: "maintain" });
    await running.ask({ ask: "purge" });
    if (kill.step === "shut-down" || this.#random.below(20) === 0) return await this.#close(running);
    await sleep(patienceMs / 3 + this.#random.below((patienceMs * 2) / 3));
    return undefined;
  }

  async #close(running: KillableProcess): Promise<Death> {
    this.#producers.url = undefined;
    await running.ask({ ask: "close" });
    return await running.death;
  }

  #count({ killedAt, code, signal }: Death): void {
    this.#producers.url = undefined;
    if (code === 0) return;
    if (signal !== "SIGKILL") {
      throw new Error(`A process ended by itself with ${code ?? signal}.\n${this.#current!.messages}`);
    }
    const at = killedAt ?? "any time";
    this.#lastDeath = at;
    this.#kills++;
    this.#killed.set(at, (this.#killed.get(at) ?? 0) + 1);
    this.#options.onKill(at);
  }

  #planOfStart(): KillPlan | undefined {
    const first = firstSteps[this.#kills];
    if (first !== undefined && this.#starts === 0) return this.#plan(first, 3);
    const torn = this.#lastDeath === "append middle" || this.#lastDeath === "transaction middle";
    if (torn && this.#random.below(2) === 0) return this.#plan("cut-tail", 3);
    if (this.#random.below(4) > 0) return undefined;
    const step = everyStart[this.#random.below(everyStart.length)]!;
    return this.#plan(step, step === "start-up" ? 40 : 4);
  }

  /** Every step has its turn. */
  #planOfWork(): KillPlan {
    if (this.#workSteps.length === 0) this.#workSteps = [...workSteps];
    const [step] = this.#workSteps.splice(this.#random.below(this.#workSteps.length), 1);
    return this.#plan(step!, 3);
  }

  #plan(step: StepName, hitMax: number): KillPlan {
    const moments = momentsOf(step);
    return { step, moment: moments[this.#random.below(moments.length)]!, hit: 1 + this.#random.below(hitMax) };
  }
}
