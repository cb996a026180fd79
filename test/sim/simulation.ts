// Plays a story on the real line in virtual time, lets everything heal, and proves what must then be true.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { seededRandom } from "../../src/core/random.ts";
import type { Position } from "../../src/model/position.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import type { Line } from "../line/embedded-line.ts";
import { Clients } from "./clients.ts";
import { Faults } from "./faults.ts";
import { simulatedGraph } from "./graph.ts";
import { Server } from "./server.ts";
import type { Step, Story } from "./story.ts";
import { Verification } from "./verification.ts";
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
    const { line, life } = this.#server.up!;
    const { sent } = this.#clients;
    const story = this.#story;
    await new Verification({ story, registry: this.#registry, time: this.#time, line, life, sent }).run();
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
}
