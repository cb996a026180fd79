// A gateway that fails in every way it may: before it has stored, behind it, for a while, for ever. It remembers idempotency keys as the real one does.
import type { ProduceCall, Produced, Transport } from "../../src/client/transport.ts";
import type { Timers } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/random.ts";

export type Fate = "stored" | "refused" | "lost before" | "lost behind" | "slow";

export interface GatewayEvent {
  readonly key: string;
  readonly number: number;
  readonly bad?: boolean;
}

export class FailingGateway implements Transport {
  readonly stored: GatewayEvent[] = [];
  readonly calls: ProduceCall[] = [];
  underWay = 0;
  underWayMost = 0;
  /** What happens to the next request. */
  fate: (call: ProduceCall) => Fate = () => "stored";
  readonly #answers = new Map<string, Produced>();
  readonly #timers: Timers;
  readonly #random: Random;

  constructor(timers: Timers, random: Random) {
    this.#timers = timers;
    this.#random = random;
  }

  async produce(call: ProduceCall, signal: AbortSignal): Promise<Produced> {
    this.calls.push(call);
    this.underWay++;
    this.underWayMost = Math.max(this.underWayMost, this.underWay);
    try {
      return await this.#answer(call, this.fate(call), signal);
    } finally {
      this.underWay--;
    }
  }

  async #answer(call: ProduceCall, fate: Fate, signal: AbortSignal): Promise<Produced> {
    if (fate === "refused") throw refusal(this.#random.below(2_000));
    if (fate === "lost before") throw lost();
    // Requests overtake each other.
    await this.#timers.sleep(fate === "slow" ? 30_000 : this.#random.below(50), signal);
    const answer = this.#store(call);
    if (fate === "lost behind") throw lost();
    return answer;
  }

  #store({ lines, idempotencyKey }: ProduceCall): Produced {
    const known = idempotencyKey === undefined ? undefined : this.#answers.get(idempotencyKey);
    if (known !== undefined) return { ...known, duplicate: true };
    const events = lines.map((line) => JSON.parse(line) as GatewayEvent);
    const problems = events.flatMap(({ bad }, index) =>
      bad ? [{ index, field: "bad", code: "bad", reason: "bad" }] : [],
    );
    if (problems.length > 0) {
      // The gateway lists the first of them only.
      throw new RdgError("invalid", "bad_records", "bad", { details: { problems: problems.slice(0, 2) } });
    }
    this.stored.push(...events);
    const answer = { accepted: lines.length, positions: [`events.e/0@${this.stored.length - 1}`] };
    if (idempotencyKey !== undefined) this.#answers.set(idempotencyKey, answer);
    return answer;
  }

  ask(): Promise<never> {
    throw new Error("It only takes events");
  }

  async *parts(): AsyncGenerator<never> {}

  close(): void {}
}

export function refusal(retryAfterMs: number): RdgError {
  return new RdgError("overloaded", "too_many_requests", "Too much.", { retryAfterMs });
}

export function lost(): RdgError {
  return new RdgError("unavailable", "no_answer", "Gone.");
}
