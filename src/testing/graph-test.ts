// Tries out a definition without a server: the real compiled jobs, synchronous, with the events that a test gives and the graph that it asks for.
import { RdgError } from "../core/errors.ts";
import { createMergeWindow } from "../jobs/operators/merge-window.ts";
import { createSideInputTable, type SideInputTable } from "../jobs/operators/side-input-table.ts";
import type { CompiledJob } from "../jobs/plan/compiled-job.ts";
import { compileJob, compileRowReader } from "../jobs/plan/compiler.ts";
import { compileMapJob } from "../jobs/plan/map-job.ts";
import { mapped, resultCodes } from "../jobs/plan/result.ts";
import { AvroWriter } from "../model/avro/avro-writer.ts";
import { validateRecord } from "../model/avro/json-record.ts";
import { compileRecordEncoder } from "../model/avro/record-encoder.ts";
import type { AnyEdge, AnyNode } from "../model/define/declaration.ts";
import type { EventDef, SideInputDef } from "../model/define/event.ts";
import type { EventFields, InputValue } from "../model/define/field.ts";
import type { Graph } from "../model/define/graph.ts";
import type { FieldModel } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import { decodeUpdateBatch } from "../model/update/codec.ts";
import type { ElementKey } from "../model/update/element.ts";
import { graphOfElements, visibleGraph, type ElementGraph, type VisibleElement } from "../model/update/oracle.ts";
import { updateRows } from "../model/update/rows.ts";

export interface TestElement {
  readonly firstSeen: Date;
  readonly lastSeen: Date;
  readonly properties: Readonly<Record<string, PropertyValue>>;
}

/** What became of one event: `mapped`, `filtered`, or why it would be quarantined. */
export type TestOutcome = (typeof resultCodes)[number];

/**
 * @example
 * const graph = new GraphTest(streaming, { now: new Date("2026-01-02T00:00:00Z") });
 * graph.produce(playback, { accountId: "a1", ... });
 * expect(graph.edges(watched)).toMatchObject([{ from: "p1", to: "t9", properties: { plays: 1 } }]);
 */
export class GraphTest {
  readonly #graph: Graph;
  readonly #jobs = new Map<string, CompiledJob>();
  readonly #tables = new Map<string, SideInputTable>();
  #nowMs: number;
  #elements: ElementGraph = new Map();

  /** `now` is the time of receipt of events and rows; it stands still until `advance`. */
  constructor(graph: Graph, options: { readonly now?: Date } = {}) {
    this.#graph = graph;
    this.#nowMs = options.now?.getTime() ?? Date.UTC(2026, 0, 1);
    const { model, maps } = graph;
    for (const { name, fields } of model.sideInputs) {
      this.#tables.set(
        name,
        createSideInputTable(compileRowReader(fields), () => -Infinity),
      );
    }
    const tables = { side: (input: string) => this.#tables.get(input)! };
    for (const job of model.jobs) {
      const map = maps.get(job.event);
      const compiled = map === undefined ? compileJob(model, job, tables) : compileMapJob(model, job, map, tables);
      this.#jobs.set(job.event, compiled);
    }
  }

  /** Lets time pass: for ttl, and for side-input rows that come later. */
  advance(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** Runs the event's job. @throws RdgError invalid when the value is no valid event */
  produce<F extends EventFields>(event: EventDef<string, F>, value: InputValue<F>): TestOutcome {
    const declared = this.#graph.model.events.find(({ name }) => name === event.name);
    const job = this.#jobs.get(event.name);
    if (declared === undefined || job === undefined) throw unknown("event", event.name);
    const bytes = encode(declared.fields, value, event.name);
    const window = createMergeWindow(this.#graph.model);
    const result = job.process(bytes, 0, bytes.length, this.#nowMs, window.sink);
    const packed = result === mapped ? window.take() : undefined;
    if (packed !== undefined) {
      const rows = updateRows(this.#graph.model, decodeUpdateBatch(packed));
      this.#elements = graphOfElements(this.#graph.model, [...this.#elements.values(), ...rows]);
    }
    return resultCodes[result]!;
  }

  /** Sets a row of a side input for the events that come after. */
  put<F extends EventFields>(input: SideInputDef<string, F>, row: InputValue<F>): void {
    const { declared, table } = this.#inputOf(input.name);
    const bytes = encode(declared.fields, row, input.name);
    const key = new TextEncoder().encode(String((row as Readonly<Record<string, unknown>>)[declared.key]));
    table.put(key, 0, key.length, ++this.#nowMs, bytes, 0, bytes.length);
  }

  /** Removes a row of a side input. */
  remove(input: { readonly name: string }, key: string): void {
    const bytes = new TextEncoder().encode(key);
    this.#inputOf(input.name).table.remove(bytes, 0, bytes.length, ++this.#nowMs);
  }

  /** The visible nodes of a type, by id. */
  nodes(type: AnyNode): readonly (TestElement & { readonly id: string })[] {
    return this.#visible("node", type.name).flatMap((element) =>
      element.kind === "node" ? [{ id: element.id, ...shown(element) }] : [],
    );
  }

  /** The visible edges of a type, by their ends. */
  edges(type: AnyEdge): readonly (TestElement & { readonly from: string; readonly to: string })[] {
    return this.#visible("edge", type.name).flatMap((element) =>
      element.kind === "edge" ? [{ from: element.from, to: element.to, ...shown(element) }] : [],
    );
  }

  #visible(kind: "node" | "edge", type: string): readonly (ElementKey & VisibleElement)[] {
    const visible = visibleGraph(this.#graph.model, this.#elements, this.#nowMs);
    return [...visible]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, element]) => (element.kind === kind && element.type === type ? [element] : []));
  }

  #inputOf(name: string): { declared: { fields: readonly FieldModel[]; key: string }; table: SideInputTable } {
    const declared = this.#graph.model.sideInputs.find((input) => input.name === name);
    if (declared === undefined) throw unknown("side input", name);
    return { declared, table: this.#tables.get(name)! };
  }
}

function shown({ firstSeenMs, lastSeenMs, properties }: VisibleElement): TestElement {
  return { firstSeen: new Date(firstSeenMs), lastSeen: new Date(lastSeenMs), properties: { ...properties } };
}

function encode(fields: readonly FieldModel[], value: unknown, name: string): Uint8Array {
  const [problem] = validateRecord(fields, value);
  if (problem !== undefined) {
    throw new RdgError("invalid", problem.code, `${name}: ${problem.reason}.`, { place: problem.field });
  }
  const writer = new AvroWriter();
  compileRecordEncoder(fields)(value, writer);
  return writer.copy();
}

function unknown(what: string, name: string): RdgError {
  return new RdgError("not_found", "not_in_graph", `The graph has no ${what} "${name}" with a job.`, {
    hint: "Give a declaration that the graph's jobs use.",
  });
}
