// The server that the bad requests go to, and the proof that it does not mind: it lives, its memory is bounded, and every good event sent between them is
// in the graph exactly once, and nothing else.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { ServerProcess } from "../crash/server-process.ts";
import { readingText } from "./record-cases.ts";
import { Wire, type WireAnswer, request } from "./wire.ts";

const graph = fileURLToPath(new URL("graph.ts", import.meta.url));
const idsPerRequest = 1000;

interface Traversed {
  readonly levels: readonly { readonly nodes: readonly { id: string; properties?: Record<string, unknown> }[] }[];
}

export class Subject {
  readonly #folder: string;
  readonly #server: ServerProcess;
  /** Sensors of which one good event was accepted. */
  readonly sensors = new Set<string>();
  #lastId = 0;

  private constructor(folder: string, server: ServerProcess) {
    this.#folder = folder;
    this.#server = server;
  }

  static async start(flags: readonly string[] = []): Promise<Subject> {
    const folder = await mkdtemp(join(tmpdir(), "rdg-bad-input-"));
    const server = new ServerProcess(join(folder, "data"), graph);
    await server.start(["--log-level", "error", ...flags]);
    return new Subject(folder, server);
  }

  get url(): string {
    return this.#server.url!;
  }

  async stop(): Promise<void> {
    await this.#server.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Sends bytes on a connection of their own and reads one answer; undefined when the connection was closed without one. */
  async exchange(...parts: readonly (string | Uint8Array)[]): Promise<WireAnswer | undefined> {
    const wire = await Wire.open(this.url);
    try {
      return await wire.send(...parts).answer();
    } finally {
      wire.close();
    }
  }

  post(path: string, body: string | Uint8Array, type = "application/x-ndjson"): Promise<WireAnswer | undefined> {
    return this.exchange(...request("POST", path, { "content-type": type }, body));
  }

  async get<T>(path: string): Promise<T> {
    const answer = (await this.exchange(...request("GET", path)))!;
    expect(answer.status).toBe(200);
    return JSON.parse(answer.body.toString()) as T;
  }

  /** An id that no other event is about. */
  freshId(): string {
    return `sensor ${++this.#lastId}`;
  }

  /** Sends one good event, of a sensor that no other event is about, and expects it to be accepted. */
  async sendGood(): Promise<void> {
    const sensorId = this.freshId();
    const body = readingText(sensorId, { siteId: '"here"', level: "1" });
    const answer = (await this.post("/v1/events/reading", body))!;
    expect([answer.status, answer.body.toString()]).toEqual([202, expect.stringContaining('"accepted":1') as unknown]);
    this.accepted(sensorId, answer);
  }

  /** Notes that an event of this sensor was accepted. */
  accepted(sensorId: string, answer: WireAnswer): void {
    expect(answer.status).toBe(202);
    this.sensors.add(sensorId);
  }

  /** Expects the graph to hold what was accepted, once. */
  async expectOnce(): Promise<void> {
    const ids = [...this.sensors];
    const waitFor = await this.positions();
    for (let from = 0; from < ids.length; from += idsPerRequest) {
      const part = ids.slice(from, from + idsPerRequest);
      const { levels } = await this.traverse({ from: { type: "sensor", ids: part }, waitFor });
      const counts = levels[0]!.nodes.map(({ id, properties }) => [id, properties?.["readings"]]);
      expect(counts).toEqual(part.map((id) => [id, "1"]));
    }
  }

  /** Expects the graph to hold what was accepted, once, and nothing else. */
  async expectIntact(): Promise<void> {
    await this.expectOnce();
    const status = await this.get<{ store: { nodes: Record<string, number> }; jobs: { counters: object }[] }>(
      "/v1/status",
    );
    expect(status.store.nodes["sensor"]).toBe(this.sensors.size);
    expect(status.jobs[0]!.counters).toMatchObject({ quarantined: [0, 0], filtered: [0, 0], deduplicated: [0, 0] });
  }

  async traverse(body: unknown): Promise<Traversed> {
    const answer = (await this.post("/v1/traverse", JSON.stringify(body), "application/json"))!;
    expect([answer.status, answer.status === 200 ? "" : answer.body.toString()]).toEqual([200, ""]);
    return JSON.parse(answer.body.toString()) as Traversed;
  }

  /** Ends of all partitions of the event topic. */
  async positions(): Promise<string[]> {
    const { topics } = await this.get<{ topics: { name: string; partitions: { next: number }[] }[] }>("/v1/status");
    const { partitions } = topics.find(({ name }) => name === "events.reading")!;
    return partitions.flatMap(({ next }, i) => (next === 0 ? [] : [`events.reading/${i}@${next - 1}`]));
  }

  /** Memory of the server's process now. */
  get residentBytes(): number {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#server.pid!}/status`, "utf8"))!;
    return Number(kilobytes) * 1024;
  }
}

export function codeOf(answer: WireAnswer | undefined): string | undefined {
  if (answer === undefined || !(answer.headers.get("content-type") ?? "").includes("json")) return undefined;
  const value = JSON.parse(answer.body.toString()) as { code?: string; error_code?: number } | undefined;
  return value?.code ?? value?.error_code?.toString();
}
