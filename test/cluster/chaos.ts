// Faults at random: processes and the broker are killed, stopped for a while, or ended in order, and come back; what was done is counted.
import type { Random } from "../../src/core/random.ts";
import type { RoleProcess } from "./role-process.ts";
import type { KafkaServer } from "./servers.ts";

/** What may happen to a victim. `end`: in order, so that jobs are handed over. */
const faults = ["kill", "pause", "end"] as const;
type Fault = (typeof faults)[number];

interface Victim {
  readonly name: string;
  readonly faults: readonly Fault[];
  strike(fault: Fault): Promise<void>;
  heal(fault: Fault): Promise<void>;
}

/** Between two faults, and until a victim is healed. */
const betweenMs = { least: 300, most: 2_500 };
const hurtMs = { least: 100, most: 5_000 };
const startAttempts = 5;

export class Chaos {
  readonly #random: Random;
  readonly #victims: readonly Victim[];
  readonly #hurt = new Set<Victim>();
  readonly #healing: Promise<void>[] = [];
  /** How often, by fault and victim. */
  readonly injected = new Map<string, number>();

  constructor(random: Random, processes: readonly RoleProcess[], broker: KafkaServer) {
    this.#random = random;
    this.#victims = [...processes.map(processVictim), brokerVictim(broker)];
  }

  get count(): number {
    return [...this.injected.values()].reduce((sum, n) => sum + n, 0);
  }

  /** Injects faults for so long; resolves when everybody is well again. */
  async rage(forMs: number): Promise<void> {
    const untilMs = Date.now() + forMs;
    while (Date.now() < untilMs) {
      await sleep(this.#between(betweenMs));
      await this.#strike();
    }
    await Promise.all(this.#healing);
  }

  async #strike(): Promise<void> {
    const well = this.#victims.filter((victim) => !this.#hurt.has(victim));
    const victim = well[this.#random.below(well.length)];
    if (victim === undefined) return;
    const fault = victim.faults[this.#random.below(victim.faults.length)]!;
    this.#hurt.add(victim);
    const what = `${fault} ${victim.name}`;
    this.injected.set(what, (this.injected.get(what) ?? 0) + 1);
    await victim.strike(fault);
    const healed = sleep(this.#between(hurtMs))
      .then(() => victim.heal(fault))
      .then(() => void this.#hurt.delete(victim));
    // Told by `rage`, when all are awaited.
    healed.catch(() => undefined);
    this.#healing.push(healed);
  }

  #between({ least, most }: { readonly least: number; readonly most: number }): number {
    return least + this.#random.below(most - least);
  }
}

function processVictim(process: RoleProcess): Victim {
  return {
    name: process.role,
    faults,
    async strike(fault) {
      if (fault === "pause") process.pause();
      else await process.stop(fault === "kill" ? "SIGKILL" : "SIGTERM");
    },
    async heal(fault) {
      if (fault === "pause") return process.resume();
      // Where the broker is away for long, a process gives up its start: somebody starts it again, as supervisors do.
      for (let attempt = 1; ; attempt++) {
        try {
          return await process.start();
        } catch (error) {
          if (attempt === startAttempts) throw error;
        }
      }
    },
  };
}

function brokerVictim(broker: KafkaServer): Victim {
  return {
    name: "broker",
    faults: ["kill", "pause"],
    strike: (fault) => (fault === "pause" ? broker.pause() : broker.kill()),
    heal: (fault) => (fault === "pause" ? broker.resume() : broker.restart()),
  };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
