// What all requests with events have in common: their parameters and headers, how they are refused while nothing is taken, how they are answered.
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { Gateway, ProduceAnswer } from "../gateway/port.ts";
import type { GraphModel } from "../model/definition.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { type Admission, comesTwice } from "./guards.ts";
import type { LatencyLimit } from "./latency-limit.ts";

const idempotencyKeyBytesMax = 256;
/** For so long at most a refusal of everything is repeated without asking the gateway. */
const refusalMaxMs = 250;

export interface IngestOptions {
  readonly gateway: Gateway;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly bytesMax: number;
  readonly bodies: ByteBudget;
  readonly admission: Admission;
  readonly latencyLimit: LatencyLimit;
}

/** Asks the gateway within the bounds. @param bytes of the body */
export async function produceWithin(
  { admission, latencyLimit }: Pick<IngestOptions, "admission" | "latencyLimit">,
  refusal: StandingRefusal,
  bytes: number,
  produce: () => Promise<ProduceAnswer>,
): Promise<ProduceAnswer> {
  try {
    return await admission.run(() => latencyLimit.run(bytes, produce));
  } catch (error) {
    refusal.note(error);
    throw error;
  }
}

export function sendAccepted(reply: FastifyReply, answer: ProduceAnswer): FastifyReply {
  const { accepted, positions, duplicate, rejected, rejectedCount } = answer;
  const told = {
    accepted,
    positions,
    ...(duplicate ? { duplicate } : {}),
    ...(rejectedCount > 0 ? { rejected, rejectedCount } : {}),
  };
  return reply.code(202).type("application/json; charset=utf-8").send(JSON.stringify(told));
}

/** While the gateway takes nothing at all (jobs lag, the store or the disk is full), bodies need not be read to be refused. */
export class StandingRefusal {
  readonly #clock: Clock;
  #error: RdgError | undefined;
  #untilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(error: unknown): void {
    if (!(error instanceof RdgError)) return;
    const { kind, code, retryAfterMs = 0 } = error;
    if (code !== "jobs_behind" && kind !== "unavailable") return;
    this.#error = error;
    this.#untilMs = this.#clock.monotonicMs() + Math.min(retryAfterMs, refusalMaxMs);
  }

  check(): void {
    if (this.#error === undefined) return;
    if (this.#clock.monotonicMs() < this.#untilMs) throw this.#error;
    this.#error = undefined;
  }
}

export function partialOf(query: Readonly<Record<string, unknown>>): boolean {
  for (const name of Object.keys(query)) {
    if (name === "partial") continue;
    const message = `There is no parameter "${name.slice(0, 100)}".`;
    throw new RdgError("invalid", "bad_parameter", message, { place: "?", hint: "There is: partial." });
  }
  const value = query["partial"];
  if (value === undefined || value === "false") return false;
  if (value === "true" || value === "") return true;
  throw new RdgError("invalid", "bad_parameter", "partial is neither true nor false.", { place: "?partial" });
}

/** The header's bytes as UTF-8; node hands them out as Latin-1, and several headers joined. */
export function idempotencyOf(request: Pick<FastifyRequest, "headers" | "raw">): { idempotencyKey?: string } {
  const header = request.headers["idempotency-key"];
  if (header === undefined) return {};
  const bytes = Buffer.from(String(header), "latin1");
  const key = bytes.toString("utf8");
  const twice = comesTwice(request, "idempotency-key");
  if (twice || bytes.length === 0 || bytes.length > idempotencyKeyBytesMax || key.includes("\ufffd")) {
    throw new RdgError("invalid", "bad_idempotency_key", "The Idempotency-Key is not usable.", {
      place: "Idempotency-Key",
      hint: `Send one key of 1 to ${idempotencyKeyBytesMax} bytes of UTF-8.`,
    });
  }
  return { idempotencyKey: key };
}
