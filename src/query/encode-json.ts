// Hot path of queries: a traversal's columns as the JSON answer of model/traversal.ts. No object per node or edge.
import type { GraphModel, PropertyModel } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { EdgeRow, NodeRows } from "../store/port.ts";
import { InPlaceJson } from "./in-place/encode-json.ts";
import type { FoundInPlace } from "./in-place/port.ts";
import { propertyWriter } from "./json-values.ts";
import { type JsonBytes, JsonWriter, jsonBytes } from "./json-writer.ts";
import type { Level, LevelEdges, LevelNodes } from "./level.ts";
import type { EdgesPart, EndPart, TraversalPart } from "./port.ts";

const comma = 0x2c;
const close = 0x7d;

/** Place and length of each of a level's ids, in the answer that is being written. */
type Places = number[];

/** Encodes answers of one definition; what depends on types only is made ready once. */
export class AnswerEncoder {
  private readonly writer = new JsonWriter();
  private readonly nodes: readonly ElementEncoder[];
  private readonly edges: readonly ElementEncoder[];
  private readonly inPlace: InPlaceJson;
  /** Of the answer that is being written, by the list of ids. */
  private readonly places = new Map<readonly string[], Places>();

  constructor(model: GraphModel) {
    this.nodes = model.nodes.map(({ name, properties }) => new ElementEncoder(this.writer, name, properties));
    this.edges = model.edges.map(({ name, properties }) => new ElementEncoder(this.writer, name, properties));
    this.inPlace = new InPlaceJson(this.writer, model);
  }

  /** `end` is asked when the levels are written: it tells how long that took. */
  traversal(levels: readonly Level[], end: () => EndPart): Uint8Array {
    const { writer } = this;
    writer.reset();
    this.places.clear();
    writer.raw(`{"levels":[`);
    for (const [i, level] of levels.entries()) {
      if (i > 0) writer.char(comma);
      this.level(level);
    }
    this.places.clear();
    return this.ended(end());
  }

  /** The same from rows as they lie in the store; undefined where the answer is too large for that. */
  traversalInPlace({ levels, nowMs }: FoundInPlace, end: () => EndPart): Uint8Array | undefined {
    const { writer } = this;
    writer.reset();
    writer.raw(`{"levels":[`);
    return this.inPlace.levels(levels, nowMs) ? this.ended(end()) : undefined;
  }

  private ended(end: EndPart): Uint8Array {
    const { kind: _, ...rest } = end;
    this.writer.raw(`],${JSON.stringify(rest).slice(1)}`);
    return this.writer.finish();
  }

  node(type: number, id: string, rows: NodeRows, select: readonly number[]): Uint8Array {
    this.writer.reset();
    this.nodes[type]!.nodes({ type, ids: [id], rows, select });
    return this.writer.finish();
  }

  edge(type: number, from: string, to: string, row: EdgeRow, select: readonly number[]): Uint8Array {
    this.writer.reset();
    this.edges[type]!.edge(from, to, row, select);
    return this.writer.finish();
  }

  /** A part as one line: `{"level":1,"nodes":[...]}`, `{"level":1,"edges":[...]}` or `{"end":{...}}`. */
  line(part: TraversalPart): Uint8Array {
    const { writer } = this;
    writer.reset();
    if (part.kind === "end") {
      const { kind: _, ...end } = part;
      writer.raw(`{"end":${JSON.stringify(end)}}\n`);
    } else {
      writer.raw(`{"level":${part.level},"${part.kind}":[`);
      if (part.kind === "nodes") this.nodes[part.type]!.nodes(part, part.from, part.to);
      else this.edges[part.edge]!.rows(part);
      writer.raw("]}\n");
    }
    return writer.finish();
  }

  private level({ nodes, edges }: Level): void {
    const { writer } = this;
    writer.raw(`{"nodes":[`);
    let isFirst = true;
    for (const ofType of nodes) {
      if (ofType.ids.length === 0) continue;
      if (!isFirst) writer.char(comma);
      isFirst = false;
      const places: Places = [];
      this.nodes[ofType.type]!.nodes(ofType, 0, ofType.ids.length, places);
      this.places.set(ofType.ids, places);
    }
    if (edges) {
      writer.raw(`],"edges":[`);
      isFirst = true;
      for (const ofBranch of edges) {
        if (ofBranch.count === 0) continue;
        if (!isFirst) writer.char(comma);
        isFirst = false;
        this.edges[ofBranch.branch.edge]!.edges(ofBranch, this.places);
      }
    }
    writer.raw("]}");
  }
}

const toKey = jsonBytes(`,"to":`);
const firstSeenKey = jsonBytes(`,"firstSeen":`);
const lastSeenKey = jsonBytes(`,"lastSeen":`);
const propertiesKey = jsonBytes(`,"properties":{`);

/** Encodes nodes or edges of one type. */
class ElementEncoder {
  private readonly writer: JsonWriter;
  private readonly nodeOpening: JsonBytes;
  private readonly edgeOpening: JsonBytes;
  private readonly keys: readonly JsonBytes[];
  private readonly writeValue: readonly ((value: PropertyValue) => void)[];

  constructor(writer: JsonWriter, name: string, properties: readonly PropertyModel[]) {
    this.writer = writer;
    this.nodeOpening = jsonBytes(`{"type":${JSON.stringify(name)},"id":`);
    this.edgeOpening = jsonBytes(`{"type":${JSON.stringify(name)},"from":`);
    this.keys = properties.map((property) => jsonBytes(`${JSON.stringify(property.name)}:`));
    this.writeValue = properties.map((property) => propertyWriter(writer, property));
  }

  /** Rows [from, to). Tells where their ids are written. */
  nodes({ ids, rows, select, enriched }: LevelNodes, from = 0, to = ids.length, places?: Places): void {
    const { writer } = this;
    const isEnriched = enriched !== undefined && enriched.length > 0;
    for (let i = from; i < to; i++) {
      if (i > from) writer.char(comma);
      writer.put(this.nodeOpening);
      const place = writer.place;
      writer.text(ids[i]!);
      places?.push(place, writer.place - place);
      if (rows.visible[i] === 1) {
        this.times(rows.firstSeenMs[i]!, rows.lastSeenMs[i]!);
        this.properties(rows.properties, i, select);
      }
      if (isEnriched) {
        const values = enriched.map((enrichment) => [enrichment.name, enrichment.values[i] ?? null]);
        writer.raw(`,"enriched":${JSON.stringify(Object.fromEntries(values))}`);
      }
      writer.char(close);
    }
  }

  edges(edges: LevelEdges, placesOf: ReadonlyMap<readonly string[], Places>): void {
    const { near, far, origins, targets, reversed, branch } = edges;
    const [nearPlaces, farPlaces] = [placesOf.get(near), placesOf.get(far)];
    const { writer } = this;
    for (let i = 0; i < edges.count; i++) {
      if (i > 0) writer.char(comma);
      const walkedBack = reversed[i] === 1;
      writer.put(this.edgeOpening);
      if (walkedBack) this.id(far, targets[i]!, farPlaces);
      else this.id(near, origins[i]!, nearPlaces);
      writer.put(toKey);
      if (walkedBack) this.id(near, origins[i]!, nearPlaces);
      else this.id(far, targets[i]!, farPlaces);
      this.times(edges.firstSeenMs[i]!, edges.lastSeenMs[i]!);
      this.properties(edges.properties, i, branch.selectEdge);
      this.writer.char(close);
    }
  }

  rows({ from, to, fromIds, toIds, firstSeenMs, lastSeenMs, properties, select }: EdgesPart): void {
    for (let i = from; i < to; i++) {
      if (i > from) this.writer.char(comma);
      this.ends(fromIds[i]!, toIds[i]!);
      this.times(firstSeenMs[i]!, lastSeenMs[i]!);
      this.properties(properties, i, select);
      this.writer.char(close);
    }
  }

  edge(from: string, to: string, row: EdgeRow, select: readonly number[]): void {
    this.ends(from, to);
    this.times(row.firstSeenMs, row.lastSeenMs);
    this.properties(
      row.properties.map((value) => [value]),
      0,
      select,
    );
    this.writer.char(close);
  }

  /** An id that stands in this answer already is copied from there. */
  private id(ids: readonly string[], i: number, places: Places | undefined): void {
    if (places === undefined) this.writer.text(ids[i]!);
    else this.writer.again(places[i * 2]!, places[i * 2 + 1]!);
  }

  private ends(from: string, to: string): void {
    const { writer } = this;
    writer.put(this.edgeOpening);
    writer.text(from);
    writer.put(toKey);
    writer.text(to);
  }

  private times(firstSeenMs: number, lastSeenMs: number): void {
    const { writer } = this;
    writer.put(firstSeenKey);
    writer.time(firstSeenMs);
    writer.put(lastSeenKey);
    writer.time(lastSeenMs);
  }

  /** Absent properties are left out. */
  private properties(columns: readonly (readonly PropertyValue[])[], row: number, select: readonly number[]): void {
    const { writer } = this;
    writer.put(propertiesKey);
    let first = true;
    for (let column = 0; column < select.length; column++) {
      const value = columns[column]![row];
      if (value === undefined) continue;
      if (!first) writer.char(comma);
      first = false;
      const property = select[column]!;
      writer.put(this.keys[property]!);
      if (value === null) writer.raw("null");
      else this.writeValue[property]!(value);
    }
    writer.char(close);
  }
}
