// One simulated server: the real line over a disk, a clock and a network that fail, killed and started again as the story says.
import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { RdgError } from "../../src/core/errors.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { Graph } from "../../src/index.ts";
import { openEmbeddedLog } from "../../src/log/embedded/log.ts";
import { modelSchemas } from "../../src/model/avro/schemas.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { EmbeddedStore } from "../../src/store/embedded/store.ts";
import { closeLine, type Line, openLine } from "../line/embedded-line.ts";
import { SimulatedDisk } from "../log/simulated-disk.ts";
import { type Faults, overlaid, troubledLog, troubledStore } from "./faults.ts";
import { slowFileSystem } from "./slow-disk.ts";
import type { Story } from "./story.ts";
import type { ProcessTime, VirtualTime } from "./virtual-time.ts";

/** One life of the server. */
export interface Life {
  readonly number: number;
  readonly time: ProcessTime;
  /** Resolves when it has ended, however: nobody gets an answer from it any more. */
  readonly over: Promise<"over">;
}

interface OpenLife extends Life {
  readonly end: () => void;
  line?: Line;
  store?: EmbeddedStore;
}

const restartMs = 500;

export class Server {
  readonly disk: SimulatedDisk;
  graph: Graph;
  /** Rejects with what must never happen: the simulation fails with it. */
  readonly sound: Promise<never>;
  readonly #story: Story;
  readonly #time: VirtualTime;
  readonly #world: ProcessTime;
  readonly #faults: Faults;
  readonly #registry: SchemaRegistry;
  readonly #folder: string;
  #life: OpenLife | undefined;
  #lives = 0;
  #closing = false;
  /** Of a checkpoint, once: the store stands one. */
  #damage: "wanted" | "done" | undefined;
  #downMs = restartMs;
  #fail: (error: unknown) => void = () => undefined;
  /** Who waits for a server to be up. */
  #waiting: (() => void)[] = [];

  constructor(
    story: Story,
    parts: {
      graph: Graph;
      time: VirtualTime;
      world: ProcessTime;
      faults: Faults;
      registry: SchemaRegistry;
      folder: string;
    },
  ) {
    this.#story = story;
    this.graph = parts.graph;
    this.#time = parts.time;
    this.#world = parts.world;
    this.#faults = parts.faults;
    this.#registry = parts.registry;
    this.#folder = parts.folder;
    this.disk = new SimulatedDisk(seededRandom(story.seed + 1));
    this.disk.fault = parts.faults.disk;
    this.sound = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.sound.catch(() => undefined);
  }

  /** The running line with its life; undefined while there is none that takes requests. */
  get up(): { readonly line: Line; readonly life: Life } | undefined {
    const life = this.#life;
    return life?.line === undefined || this.#closing ? undefined : { line: life.line, life };
  }

  /** How many lives there were. */
  get lives(): number {
    return this.#lives;
  }

  async whenUp(): Promise<{ readonly line: Line; readonly life: Life }> {
    for (;;) {
      const { up } = this;
      if (up !== undefined) return up;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  get time(): ProcessTime | undefined {
    return this.#life?.time;
  }

  start(): void {
    let end: () => void = () => undefined;
    const over = new Promise<"over">((resolve) => {
      end = () => resolve("over");
    });
    const life: OpenLife = { number: ++this.#lives, time: this.#time.process(), over, end };
    this.#life = life;
    void this.disk.killed().then(() => this.#end(life, this.#downMs));
    this.#open(life).then(
      (line) => {
        life.line = line;
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const resolve of waiting) resolve();
      },
      (error: unknown) => this.#failed(life, error),
    );
  }

  /** Ends the life without notice and begins the next one after a while. */
  crash(how: "kill" | "call" | "power", downMs: number, calls: number): void {
    if (this.#life === undefined) return;
    if (how === "call") {
      this.#downMs = downMs;
      this.disk.callsUntilKill = calls;
      return;
    }
    this.#end(this.#life, downMs);
    if (how === "kill") this.disk.kill();
    else this.disk.powerLoss();
  }

  /** Ends it in order, if it is up, and begins the next life after a while. */
  async close(downMs: number): Promise<void> {
    const life = this.#life;
    if (life?.line === undefined || this.#closing) return;
    this.#closing = true;
    await Promise.race([closeLine(life.line).catch((error: unknown) => this.#check(error)), life.over]);
    if (this.#life !== life) return;
    this.#end(life, downMs);
    this.disk.kill();
  }

  async checkpoint(damaged: boolean): Promise<void> {
    const life = this.#life;
    if (life?.store === undefined || life.line === undefined || this.#closing) return;
    await life.time.hold(life.store.checkpoint());
    if (damaged) this.#damage ??= "wanted";
  }

  #end(life: OpenLife, downMs: number): void {
    if (this.#life !== life) return;
    life.time.kill();
    life.end();
    this.#life = undefined;
    this.#closing = false;
    this.#world.after(downMs, () => {
      if (this.#life === undefined) this.start();
    });
  }

  #failed(life: OpenLife, error: unknown): void {
    this.#check(error);
    if (this.#life !== life) return;
    this.#end(life, restartMs);
    this.disk.kill();
  }

  /** What may end a process: its disk failed. Anything else is a bug. */
  #check(error: unknown): void {
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    const isDisk = code === "EIO" || code === "ENOSPC" || code === "EMFILE";
    const isUnavailable = error instanceof RdgError && (error.kind === "unavailable" || error.kind === "closed");
    if (!isDisk && !isUnavailable) this.#fail(error);
  }

  async #open(life: OpenLife): Promise<Line> {
    const { time } = life;
    const { seed, segmentBytes, tailBytes } = this.#story;
    const folder = join(this.#folder, "store");
    if (this.#damage === "wanted" && (await time.hold(damageNewest(folder)))) this.#damage = "done";
    const log = await openEmbeddedLog({
      folder: "/log",
      clock: time,
      timers: time,
      random: seededRandom(seed + 7 * this.#lives),
      fileSystem: slowFileSystem(this.disk.process(), time, () => this.#faults.random.below(this.#faults.delayMs + 1)),
      settings: {
        segmentBytes,
        readChunkBytes: 512,
        tailBytesMax: tailBytes,
        journalTailBytesMax: tailBytes,
        retryAfterMs: 100,
      },
    });
    const { model } = this.graph;
    const opening = openEmbeddedStore({
      folder,
      model,
      clock: time,
      timers: time,
      turns: time,
      settings: { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: 1e12 },
    });
    const store = (life.store = await time.hold(opening));
    await time.hold(registerAll(this.graph, this.#registry));
    return openLine({
      graph: this.graph,
      log: troubledLog(log, this.#faults),
      registry: this.#registry,
      store: overlaid(troubledStore(store, this.#faults), { close: () => time.hold(store.close()) }),
      clock: time,
      timers: time,
      turns: time,
      onFailure: (error) => this.#failed(life, error),
    });
  }
}

const registered = new WeakMap<SchemaRegistry, Set<Graph>>();

/** Registering writes files: it is done while time stands still, and once. */
async function registerAll(graph: Graph, registry: SchemaRegistry): Promise<void> {
  const graphs = registered.get(registry) ?? new Set();
  registered.set(registry, graphs);
  if (graphs.has(graph)) return;
  for (const { subject, schema } of modelSchemas(graph.model)) await registry.register(subject, schema);
  graphs.add(graph);
}

/** The file of pages ends too early: a restart must go on from the checkpoint before. */
async function damageNewest(folder: string): Promise<boolean> {
  const pages = (await readdir(folder)).filter((name) => name.startsWith("pages-")).sort();
  if (pages.length < 2) return false;
  await truncate(join(folder, pages.at(-1)!), 10);
  return true;
}
