// Plays a story on the real line in virtual time, lets everything heal, and proves what must then be true.
import { deepStrictEqual } from "node:assert";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { seededRandom } from "../../src/core/random.ts";
import type { FieldModel, GraphModel } from "../../src/model/definition.ts";
import { parsePosition, type Position } from "../../src/model/position.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import type { Line } from "../line/embedded-line.ts";
import { expectedOf, graphMeant, listingOf, plainGraphOf, type Stored, storedIn } from "../line/oracle.ts";
import { plainGraph } from "../query/random-graph.ts";
import { Clients } from "./clients.ts";
import { Faults } from "./faults.ts";
import { simulatedGraph } from "./graph.ts";
import { type Life, Server } from "./server.ts";
import type { Step, Story } from "./story.ts";
import { type ProcessTime, VirtualTime } from "./virtual-time.ts";

export interface Outcome {
  readonly virtualMs: number;
  readonly timers: number;
  readonly events: number;
  readonly lives: number;
  readonly asked: number;
}

const startMs = Date.parse("2026-11-21T12:00:00Z");
const healingMs = 300_000;

/** @throws Error when anything is not as it must be. `folder` is removed afterwards; `registry` must take any schema. */
export async function simulate(story: Story, registry: SchemaRegistry, folder: string): Promise<Outcome> {
  try {
    return await new Simulation(story, registry, folder).run();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class Simulation {
  readonly #story: Story;
  readonly #registry: SchemaRegistry;
  readonly #time: VirtualTime;
  readonly #world: ProcessTime;
  readonly #faults: Faults;
  readonly #server: Server;
  readonly #clients: Clients;

  constructor(story: Story, registry: SchemaRegistry, folder: string) {
    this.#story = story;
    this.#registry = registry;
    this.#time = new VirtualTime(startMs, seededRandom(story.seed + 2));
    this.#world = this.#time.process();
    this.#faults = new Faults(seededRandom(story.seed + 3));
    this.#faults.delayMs = story.delayMs;
    this.#server = new Server(story, {
      graph: simulatedGraph(story.graph, false),
      time: this.#time,
      world: this.#world,
      faults: this.#faults,
      registry,
      folder: join(folder, "data"),
    });
    this.#clients = new Clients(story, this.#server, this.#world);
  }

  async run(): Promise<Outcome> {
    this.#server.start();
    const running = this.#story.steps.map((step, number) => this.#play(step, number));
    const played = Promise.all(running);
    await this.#time.until(this.#sound(played), "the story", 20_000 + healingMs);
    this.#faults.end();
    this.#faults.delayMs = Math.min(this.#faults.delayMs, 5);
    this.#server.disk.callsUntilKill = undefined;
    await this.#time.until(this.#sound(this.#settled()), "healing", healingMs);
    const { line } = this.#server.up!;
    await this.#verify(line);
    return {
      virtualMs: this.#time.nowMs,
      timers: this.#time.steps,
      events: this.#clients.sent.reduce((sum, { records }) => sum + records.length, 0),
      lives: this.#server.lives,
      asked: this.#clients.asked,
    };
  }

  #sound<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#server.sound]);
  }

  // --- the story ---------------------------------------------------------------------------------------------------

  async #play(step: Step, number: number): Promise<void> {
    const faults = this.#faults;
    const server = this.#server;
    await this.#world.sleep(step.atMs);
    switch (step.kind) {
      case "events":
        return this.#clients.events(step, number);
      case "rows":
        return this.#clients.rows(step, number);
      case "crash":
        if (step.upgrade) server.graph = simulatedGraph(this.#story.graph, true);
        return server.crash(step.how, step.downMs, seededRandom(step.seed).below(12));
      case "close":
        if (step.upgrade) server.graph = simulatedGraph(this.#story.graph, true);
        return server.close(step.downMs);
      case "disk":
        faults.diskOneIn = step.oneIn;
        await this.#world.sleep(step.forMs);
        faults.diskOneIn = Infinity;
        return;
      case "slow":
        faults.delayMs = step.delayMs;
        await this.#world.sleep(step.forMs);
        faults.delayMs = this.#story.delayMs;
        return;
      case "refusal":
        faults.refusals++;
        await this.#world.sleep(step.forMs);
        faults.refusals--;
        return;
      case "log":
        faults.logOneIn = faults.readOneIn = step.oneIn;
        await this.#world.sleep(step.forMs);
        faults.logOneIn = faults.readOneIn = Infinity;
        return;
      case "jump":
        server.time?.jump(step.ms);
        return;
      case "pause":
        return this.#pause(step.event, step.forMs);
      case "checkpoint":
        return server.checkpoint(step.damaged);
      case "maintain": {
        const { up } = server;
        if (up !== undefined) await Promise.race([up.line.log.maintain().catch(() => undefined), up.life.over]);
      }
    }
  }

  async #pause(event: string, forMs: number): Promise<void> {
    const { up } = this.#server;
    if (up === undefined) return;
    await Promise.race([up.line.control.pause(event), up.life.over]);
    await this.#world.sleep(forMs);
    // A restart has resumed it.
    if (up.life.time.isAlive) await Promise.race([up.line.control.resume(event), up.life.over]);
  }

  /** Resolves when a server is up and the graph accounts for everything that is in the log. */
  async #settled(): Promise<void> {
    for (;;) {
      const up = await this.#server.whenUp();
      if ((await Promise.race([this.#caughtUp(up.line), up.life.over])) === true) return;
      await this.#world.sleep(50);
    }
  }

  async #caughtUp({ log, feeder, model, control }: Line): Promise<boolean> {
    try {
      const ends: Position[] = [];
      for (const { name } of model.events) {
        for (const { partition, next } of await log.bounds(`events.${name}`)) {
          if (next > 0) ends.push({ topic: `events.${name}`, partition, offset: next - 1 });
        }
      }
      if (!(await feeder.waitFor(ends, healingMs))) return false;
      const { jobs } = await control.status();
      return jobs.every(({ state }) => state === "running");
    } catch {
      return false;
    }
  }

  // --- what must be true -------------------------------------------------------------------------------------------

  async #verify(line: Line): Promise<void> {
    const { model, log, store } = line;
    const life = this.#server.up!.life;
    const within = <T>(promise: Promise<T>, what: string): Promise<T> =>
      this.#time.until(Promise.race([promise, ended(life)]), what);
    const stored = await within(storedIn(log, model, await this.#fieldsOf(model)), "reading the log");
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
  async #fieldsOf(model: GraphModel): Promise<(topic: string, schemaId: number) => readonly FieldModel[]> {
    const fields = new Map<string, readonly FieldModel[]>();
    for (const evolved of [false, true]) {
      const { events, sideInputs } = simulatedGraph(this.#story.graph, evolved).model;
      const declared = [
        ...events.map((event) => [`events.${event.name}`, event.fields] as const),
        ...sideInputs.map((input) => [`inputs.${input.name}`, input.fields] as const),
      ];
      for (const [topic, of] of declared) {
        for (const version of await this.#registry.versions(`${topic}-value`)) {
          const { id, schema } = await this.#registry.version(`${topic}-value`, version);
          if (schema.includes('"note"') === evolved) fields.set(`${topic} ${id}`, of);
        }
      }
    }
    if (model.events.length === 0) throw new Error("no events");
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
    for (const sent of this.#clients.sent) {
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
    const sent = this.#clients.sent.filter(({ target }) => target.kind === "input");
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
