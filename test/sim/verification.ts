// What must be true after a story, when everything has healed: of the log, the graph, the counters and the journal.
import { deepStrictEqual } from "node:assert";
import type { FieldModel } from "../../src/model/definition.ts";
import { parsePosition } from "../../src/model/position.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import type { Line } from "../line/embedded-line.ts";
import { expectedOf, graphMeant, listingOf, plainGraphOf, type Stored, storedIn } from "../line/oracle.ts";
import { plainGraph } from "../query/random-graph.ts";
import type { Sent } from "./clients.ts";
import { simulatedGraph } from "./graph.ts";
import type { Life } from "./server.ts";
import type { Story } from "./story.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface VerificationParts {
  readonly story: Story;
  readonly registry: SchemaRegistry;
  readonly time: VirtualTime;
  readonly line: Line;
  readonly life: Life;
  /** What the clients sent, and what they were told. */
  readonly sent: readonly Sent[];
}

export class Verification {
  readonly #parts: VerificationParts;

  constructor(parts: VerificationParts) {
    this.#parts = parts;
  }

  /** @throws Error when anything is not as it must be */
  async run(): Promise<void> {
    const { line, life, time } = this.#parts;
    const { model, log, store } = line;
    const within = <T>(promise: Promise<T>, what: string): Promise<T> =>
      time.until(Promise.race([promise, ended(life)]), what);
    const stored = await within(storedIn(log, model, await this.#fieldsOf()), "reading the log");
    this.#verifyAccepted(stored);
    const { updates, counts } = expectedOf(model, stored);
    const graph = plainGraphOf(model, graphMeant(model, updates), life.time.now());
    const scanned = await within(plainGraph(store), "the scan");
    deepStrictEqual(listingOf(model, scanned), listingOf(model, graph));
    for await (const difference of store.verify())
      throw new Error(`the store disagrees with itself: ${difference.what}`);
    await this.#verifyCounts(line, counts);
    await within(verifyJournal(line), "reading the journal");
  }

  /** Records of each schema were written with the fields of their definition. */
  async #fieldsOf(): Promise<(topic: string, schemaId: number) => readonly FieldModel[]> {
    const fields = new Map<string, readonly FieldModel[]>();
    for (const evolved of [false, true]) {
      const { events, sideInputs } = simulatedGraph(this.#parts.story.graph, evolved).model;
      const declared = [
        ...events.map((event) => [`events.${event.name}`, event.fields] as const),
        ...sideInputs.map((input) => [`inputs.${input.name}`, input.fields] as const),
      ];
      for (const [topic, of] of declared) {
        for (const version of await this.#parts.registry.versions(`${topic}-value`)) {
          const { id, schema } = await this.#parts.registry.version(`${topic}-value`, version);
          if (schema.includes('"note"') === evolved) fields.set(`${topic} ${id}`, of);
        }
      }
    }
    return (topic, schemaId) => fields.get(`${topic} ${schemaId}`)!;
  }

  /** Every answered request is in the log at its positions, keyed ones once, and nothing is there that was not sent. */
  #verifyAccepted({ events, rows }: Stored): void {
    const found = new Map<string, string[]>();
    for (const [event, partitions] of events) {
      for (const [partition, stored] of partitions.entries()) {
        for (const { value, offset } of stored) {
          const id = `${event} ${(value["playId"] ?? value["leaveId"]) as string}`;
          found.set(id, [...(found.get(id) ?? []), `events.${event}/${partition}@${offset}`]);
        }
      }
    }
    for (const sent of this.#parts.sent) {
      if (sent.target.kind === "input") continue;
      const places = sent.records.map(({ id }) => {
        const own = found.get(`${sent.target.name} ${id}`) ?? [];
        found.delete(`${sent.target.name} ${id}`);
        return own;
      });
      const { answer, manner } = sent;
      const least = answer === undefined ? 0 : 1;
      const isKeyless = manner === "ids" || manner === "twice";
      const most = isKeyless ? Infinity : 1;
      for (const [i, own] of places.entries()) {
        if (own.length < least || own.length > most) {
          throw new Error(
            `event ${sent.records[i]!.id}, sent ${manner}, is in the log ${own.length} times: ${own.join()}`,
          );
        }
      }
      // The answer names the last position in each partition.
      const all = places.flat();
      for (const position of answer?.positions ?? []) {
        if (!all.includes(position)) throw new Error(`${position} was answered for what is at ${all.join()}`);
      }
      if (answer !== undefined && !isKeyless) deepStrictEqual(lastOf(all), [...answer.positions].sort());
    }
    if (found.size > 0) throw new Error(`in the log, but never sent: ${[...found.keys()].join()}`);
    this.#verifyRows(rows.get("titles")!.length);
  }

  #verifyRows(stored: number): void {
    const sent = this.#parts.sent.filter(({ target }) => target.kind === "input");
    const total = sent.reduce((sum, { records }) => sum + records.length, 0);
    if (stored !== total) throw new Error(`${total} rows were sent and answered, ${stored} are in the log`);
  }

  async #verifyCounts({ control, log }: Line, expected: ReturnType<typeof expectedOf>["counts"]): Promise<void> {
    const { jobs } = await control.status();
    for (const { event, counters } of jobs) {
      const perPartition = expected.get(event)!;
      for (const name of [
        "received",
        "filtered",
        "deduplicated",
        "quarantined",
        "mapped",
        "skipped",
        "emitted",
      ] as const) {
        const wanted = perPartition.map((counts) => counts[name]);
        deepStrictEqual({ event, [name]: counters[name] }, { event, [name]: wanted });
      }
      const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
      const { received, filtered, deduplicated, quarantined, mapped, emitted, published, merged } = counters;
      deepStrictEqual(
        total(received),
        [filtered, deduplicated, quarantined, mapped].map(total).reduce((a, b) => a + b),
      );
      deepStrictEqual(total(emitted), total(published) + total(merged));
      deepStrictEqual((await log.bounds(`quarantine.jobs.${event}`))[0]!.next, total(quarantined));
    }
  }
}

async function ended(life: Life): Promise<never> {
  await life.over;
  throw new Error("the server ended after healing");
}

/** Positions only ever grow, and every transaction moves at least one. */
async function verifyJournal({ log, model }: Line): Promise<void> {
  const last = (await log.bounds(`nodes.${model.nodes[0]!.name}`))[0]!.next - 1;
  const seen = new Map<string, number>();
  let offset = -1;
  if (last < 0) return;
  for await (const frame of log.readUpdates({ until: last })) {
    if (frame.offset <= offset) throw new Error(`transaction ${frame.offset} comes behind ${offset}`);
    offset = frame.offset;
    let moved = 0;
    for (const input of frame.inputs) {
      const key = `${input.topic}/${input.partition}`;
      const before = seen.get(key) ?? -1;
      if (input.offset < before)
        throw new Error(`transaction ${frame.offset} takes ${key} from ${before} back to ${input.offset}`);
      moved += input.offset - before;
      seen.set(key, input.offset);
    }
    if (moved === 0) throw new Error(`transaction ${frame.offset} moves nothing`);
  }
}

/** The last position in each partition, sorted. */
function lastOf(positions: readonly string[]): string[] {
  const last = new Map<string, string>();
  for (const position of positions) {
    const { topic, partition, offset } = parsePosition(position);
    const key = `${topic}/${partition}`;
    const known = last.get(key);
    if (known === undefined || parsePosition(known).offset < offset) last.set(key, position);
  }
  return [...last.values()].sort();
}
