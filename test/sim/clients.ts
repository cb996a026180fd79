import { RdgError } from "../../src/core/errors.ts";
// The clients of a simulated server: they send, repeat what was not answered in their manner, ask for what they wrote, and remember what they were told.
import { type Random, seededRandom } from "../../src/core/random.ts";
import type { ProduceAnswer, ProduceRequest } from "../../src/gateway/port.ts";
import { parsePosition } from "../../src/model/position.ts";
import type { TraverseAnswer } from "../../src/model/traversal.ts";
import type { Server } from "./server.ts";
import { jumpMaxMs, type Manner, type Step, type Story } from "./story.ts";
import type { ProcessTime } from "./virtual-time.ts";

/** An event or row as it was sent; `id` names its receipt. */
export interface SentRecord {
  readonly id: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** One request and what became of it. */
export interface Sent {
  readonly target: ProduceRequest["target"];
  readonly manner: Manner;
  readonly records: readonly SentRecord[];
  /** Of the first answer; undefined when there never was one. */
  answer?: ProduceAnswer;
}

const retryMs = 20;
const hastyMs = 60;
const askMs = 5_000;

export class Clients {
  readonly sent: Sent[] = [];
  /** Answers to questions that were checked. */
  asked = 0;
  readonly #story: Story;
  readonly #server: Server;
  readonly #world: ProcessTime;
  readonly #titles: readonly string[];

  constructor(story: Story, server: Server, world: ProcessTime) {
    this.#story = story;
    this.#server = server;
    this.#world = world;
    this.#titles = ["__proto__", "alpha", "beta"].slice(0, story.titleCount);
  }

  async events(step: Extract<Step, { kind: "events" }>, number: number): Promise<void> {
    const random = seededRandom(step.seed);
    const records = Array.from({ length: step.count }, (_, i) => this.#event(step.event, `${number}.${i}`, random));
    const target = { kind: "event", name: step.event } as const;
    const sent: Sent = { target, manner: step.manner, records };
    this.sent.push(sent);
    await this.#send(sent, `events ${number}`, random);
    if (sent.answer !== undefined) await this.#ask(sent, sent.answer);
  }

  /** One after the other: the versions of few rows. */
  async rows(step: Extract<Step, { kind: "rows" }>, number: number): Promise<void> {
    const random = seededRandom(step.seed);
    for (let i = 0; i < step.count; i++) {
      const records = Array.from({ length: 1 + random.below(2) }, (_, k) => this.#row(`${number}.${i}.${k}`, random));
      const sent: Sent = { target: { kind: "input", name: "titles" }, manner: "keyed", records };
      this.sent.push(sent);
      await this.#send(sent, `rows ${number}.${i}`, random);
      await this.#world.sleep(random.below(400));
    }
  }

  #row(id: string, random: Random): SentRecord {
    const title = this.#titles[random.below(this.#titles.length)]!;
    return { id, json: random.below(5) === 0 ? { $delete: title } : { title, name: `${title} ${id}` } };
  }

  #event(event: "play" | "leave", id: string, random: Random): SentRecord {
    const late = [0, 0, 1, 1000, 50_000][random.below(5)]!;
    const at = this.#world.now() - late;
    const member = `m${random.below(this.#story.memberCount)}`;
    const title = this.#titles[random.below(this.#titles.length)]!;
    if (event === "leave") return { id, json: { leaveId: id, member, at, ...(random.below(2) === 0 && { title }) } };
    const json = {
      playId: id,
      member,
      title,
      seconds: random.below(12) - 1,
      tags: ["x", "y", "😀"].slice(random.below(4)),
      at,
      ...(random.below(2) === 0 && { device: `d${random.below(3)}` }),
    };
    return { id, json };
  }

  // --- sending -----------------------------------------------------------------------------------------------------

  /** Until it is answered, or given up in its manner. */
  async #send(sent: Sent, key: string, random: Random): Promise<void> {
    const lines = random.below(2) === 0;
    const texts = sent.records.map(({ json }) => JSON.stringify(json));
    const request: ProduceRequest = {
      target: sent.target,
      format: lines ? "ndjson" : "json",
      body: Buffer.from(lines ? texts.join("\n") : `[${texts.join()}]`),
      partial: random.below(2) === 0,
      ...(sent.manner === "keyed" || sent.manner === "hasty" ? { idempotencyKey: key } : {}),
    };
    // Ids are remembered for the horizon only: a repeat must come well within it.
    const isKeyless = sent.manner === "ids" || sent.manner === "twice";
    const untilMs = this.#world.monotonicMs() + (isKeyless ? this.#story.graph.horizonMs / 2 : Infinity);
    let again = 2;
    const againMs = Math.min(10_000, Math.ceil(this.#story.graph.horizonMs / 3));
    for (;;) {
      const up = await this.#server.whenUp();
      if (this.#world.monotonicMs() >= untilMs) return;
      const waitMs = await this.#trySend(up, sent, request);
      if (sent.manner === "once" || (sent.answer !== undefined && sent.manner !== "twice")) return;
      if (sent.answer !== undefined && again-- === 0) return;
      await this.#world.sleep(sent.answer === undefined ? waitMs + random.below(50) : random.below(againMs));
    }
  }

  /** One attempt; returns how long to wait for the next. */
  async #trySend(up: NonNullable<Server["up"]>, sent: Sent, request: ProduceRequest): Promise<number> {
    // The gateway owns the body it is given.
    const answered = up.line.gateway.produce({ ...request, body: Buffer.from(request.body) }).then(
      (answer) => this.#note(sent, answer),
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    );
    const patience = sent.manner === "hasty" ? [this.#world.sleep(hastyMs)] : [];
    const outcome = await Promise.race([answered, up.life.over, ...patience]);
    if (!(outcome instanceof Error)) return retryMs;
    if (outcome instanceof RdgError && ["unavailable", "overloaded", "closed"].includes(outcome.kind)) {
      return outcome.retryAfterMs ?? retryMs;
    }
    throw outcome;
  }

  #note(sent: Sent, answer: ProduceAnswer): void {
    if (answer.accepted !== sent.records.length || answer.rejectedCount > 0) {
      throw new Error(`${sent.records.length} records were sent, the answer is ${JSON.stringify(answer)}`);
    }
    if (sent.answer === undefined) sent.answer = answer;
    else if (
      sent.manner !== "ids" &&
      sent.manner !== "twice" &&
      sent.answer.positions.join() !== answer.positions.join()
    ) {
      throw new Error(`answered ${sent.answer.positions.join()}, then ${answer.positions.join()}`);
    }
  }

  // --- asking ------------------------------------------------------------------------------------------------------

  /** Whoever was answered finds what was written, once, when waiting for its positions. */
  async #ask(sent: Sent, { positions }: ProduceAnswer): Promise<void> {
    const { up } = this.#server;
    if (up === undefined) return;
    const ids = sent.records.map(({ id }) => id);
    const request = { from: { type: "receipt", ids }, waitFor: positions, timeoutMs: askMs };
    const answered = up.line.queries.traverse(request, { signal: new AbortController().signal }).then(
      ({ json }) => JSON.parse(Buffer.from(json).toString()) as TraverseAnswer,
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    );
    const outcome = await Promise.race([answered, up.life.over]);
    if (outcome === "over") return;
    if (outcome instanceof Error) {
      if (outcome instanceof RdgError && ["unavailable", "overloaded", "closed"].includes(outcome.kind)) return;
      throw outcome;
    }
    // Where somebody set the clock, the horizon of ids may have passed in a moment.
    const { steps, graph } = this.#story;
    const isOnce =
      (sent.manner !== "ids" && sent.manner !== "twice") ||
      graph.horizonMs > jumpMaxMs ||
      !steps.some(({ kind }) => kind === "jump");
    const receipts = new Map(outcome.levels[0]!.nodes.map(({ id, properties }) => [id, properties?.["times"]]));
    for (const { id, json } of sent.records) {
      const expected = json["seconds"] === -1 ? undefined : "1";
      if (receipts.get(id) !== expected && (isOnce || !receipts.has(id))) {
        throw new Error(
          `event ${id} at ${positions.join()} is ${JSON.stringify(receipts.get(id))} times in the answer`,
        );
      }
    }
    for (const position of positions.map(parsePosition)) {
      const asOf = outcome.asOf.map(parsePosition);
      const seen = asOf.find(({ topic, partition }) => topic === position.topic && partition === position.partition);
      if (seen === undefined || seen.offset < position.offset) {
        throw new Error(`asked for ${positions.join()}, answered as of ${outcome.asOf.join()}`);
      }
    }
    this.asked++;
  }
}
