// A whole line in virtual time that a test sends events to, kills, hinders and asks: for what once went wrong and must not again.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EmbeddedSettings } from "../../src/compose/settings.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { Graph } from "../../src/index.ts";
import { openEmbeddedLog } from "../../src/log/embedded/log.ts";
import { parsePosition, type Position } from "../../src/model/position.ts";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import type { Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { SimulatedDisk } from "../log/simulated-disk.ts";
import { Faults, troubledLog, troubledStore } from "../sim/faults.ts";
import { type ProcessTime, VirtualTime } from "../sim/virtual-time.ts";
import { type Line, openLine } from "./embedded-line.ts";

export class SmallLine {
  readonly time = new VirtualTime(Date.parse("2026-11-21T12:00:00Z"), seededRandom(1));
  readonly faults = new Faults(seededRandom(2));
  /** From the next start on. */
  settings: Partial<EmbeddedSettings> = {};
  line!: Line;
  #graph: Graph;
  #process!: ProcessTime;
  #store!: Store;
  readonly #folder: string;
  readonly #registry: SchemaRegistry;
  readonly #disk = new SimulatedDisk(seededRandom(3));
  #positions: Position[] = [];

  private constructor(graph: Graph, folder: string, registry: SchemaRegistry) {
    this.#graph = graph;
    this.#folder = folder;
    this.#registry = registry;
    this.#disk.fault = this.faults.disk;
  }

  static async open(graph: Graph, settings: Partial<EmbeddedSettings> = {}): Promise<SmallLine> {
    const folder = await mkdtemp(join(tmpdir(), "rdg-small-"));
    const small = new SmallLine(graph, folder, await openEmbeddedRegistry({ folder }));
    small.settings = settings;
    await small.#open();
    return small;
  }

  async close(): Promise<void> {
    this.#process.kill();
    await this.#registry.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Killed, and after a while started again, perhaps with a later definition. The store has lost everything. */
  async restart(downMs = 0, graph = this.#graph): Promise<void> {
    this.#process.kill();
    this.#disk.kill();
    this.#graph = graph;
    await this.time.pass(downMs);
    await this.#open();
  }

  /** Accepted when it resolves. */
  async send(name: string, ...records: readonly object[]): Promise<void> {
    const kind = this.#graph.model.events.some((event) => event.name === name) ? "event" : "input";
    const body = Buffer.from(JSON.stringify(records));
    const request = { target: { kind, name }, format: "json", body, partial: false } as const;
    const { positions } = await this.time.until(this.line.gateway.produce(request), "an answer");
    if (kind === "event") this.#positions.push(...positions.map(parsePosition));
  }

  /** Until the graph accounts for all that was accepted. */
  async caughtUp(): Promise<void> {
    const applied = await this.time.until(this.line.feeder.waitFor(this.#positions, 60_000), "the graph");
    if (!applied) throw new Error("the graph did not catch up within a minute");
  }

  /** Properties by id of all nodes of a type. */
  async nodes(name: string): Promise<Record<string, Record<string, unknown>>> {
    const { nodes } = this.#graph.model;
    const type = nodes.findIndex((node) => node.name === name);
    const found: Record<string, Record<string, unknown>> = {};
    for await (const element of this.#store.scan()) {
      if (element.kind !== "node" || element.type !== type) continue;
      const values = nodes[type]!.properties.map((property, i) => [property.name, element.properties[i]] as const);
      found[element.id] = Object.fromEntries(values.filter(([, value]) => value !== undefined));
    }
    return found;
  }

  async #open(): Promise<void> {
    const time = (this.#process = this.time.process());
    const opening = async (): Promise<Line> => {
      const log = await openEmbeddedLog({
        folder: "/log",
        clock: time,
        timers: time,
        random: seededRandom(4),
        fileSystem: this.#disk.process(),
      });
      this.#store = referenceStore({ model: this.#graph.model, clock: time });
      return openLine({
        graph: this.#graph,
        log: troubledLog(log, this.faults),
        registry: this.#registry,
        store: troubledStore(this.#store, this.faults),
        clock: time,
        timers: time,
        turns: time,
        settings: this.settings,
      });
    };
    this.line = await this.time.until(time.hold(opening()), "opening");
  }
}
