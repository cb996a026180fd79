// Hot path of queries: levels that were walked in place as JSON, from the store's bytes into the answer's. Its twin, which defines the form, is encode-json.ts.
import type { GraphModel, PropertyModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import { stateAbsent, stateNull } from "../../model/update/batch.ts";
import { valueOfNumber } from "../../model/update/encoded-value.ts";
import type { ElementsInPlace, PlacedBytes, PropertyInPlace } from "../../store/in-place/port.ts";
import { propertyWriter } from "../json-values.ts";
import { type JsonBytes, type JsonWriter, jsonBytes } from "../json-writer.ts";
import type { EdgesOfLevel, LevelInPlace, NodesOfLevel } from "./port.ts";

const comma = 0x2c;
const close = 0x7d;
/** Of one answer: what is larger goes the general way, which gives others their turn in between. */
const bytesMax = 1024 * 1024;

const toKey = jsonBytes(`,"to":`);
const firstSeenKey = jsonBytes(`,"firstSeen":`);
const lastSeenKey = jsonBytes(`,"lastSeen":`);
const propertiesKey = jsonBytes(`,"properties":{`);
const closes = jsonBytes("}}");

export class InPlaceJson {
  private readonly writer: JsonWriter;
  private readonly nodes: readonly ElementJson[];
  private readonly edges: readonly ElementJson[];
  /** Place and length of the ids of the level before and of this one, by number of the node. */
  private near: number[] = [];
  private far: number[] = [];

  constructor(writer: JsonWriter, model: GraphModel) {
    this.writer = writer;
    this.nodes = model.nodes.map(({ name, properties }) => new ElementJson(writer, name, properties));
    this.edges = model.edges.map(({ name, properties }) => new ElementJson(writer, name, properties));
  }

  /** The levels with commas between them; false where they are too large: what was written does not count then. */
  levels(levels: readonly LevelInPlace[], nowMs: number): boolean {
    const { writer } = this;
    for (let i = 0; i < levels.length; i++) {
      if (i > 0) writer.char(comma);
      const { nodes, edges } = levels[i]!;
      [this.near, this.far] = [this.far, this.near];
      writer.raw(`{"nodes":[`);
      if (!this.nodes[nodes.type]!.nodes(nodes, nowMs, this.far)) return false;
      if (edges !== undefined) {
        writer.raw(`],"edges":[`);
        if (!this.edges[edges.edge]!.edges(edges, this.near, this.far)) return false;
      }
      writer.raw("]}");
    }
    return true;
  }
}

/** Encodes nodes or edges of one type. */
class ElementJson {
  private readonly writer: JsonWriter;
  private readonly nodeOpening: JsonBytes;
  private readonly edgeOpening: JsonBytes;
  private readonly models: readonly PropertyModel[];
  private of: ElementsInPlace | undefined;
  private properties: readonly PropertyJson[] = [];

  constructor(writer: JsonWriter, name: string, models: readonly PropertyModel[]) {
    this.writer = writer;
    this.nodeOpening = jsonBytes(`{"type":${JSON.stringify(name)},"id":`);
    this.edgeOpening = jsonBytes(`{"type":${JSON.stringify(name)},"from":`);
    this.models = models;
  }

  nodes({ of, references, count, select, hidden }: NodesOfLevel, nowMs: number, places: number[]): boolean {
    const { writer } = this;
    const properties = this.propertiesOf(of);
    of.warm(references, count, select);
    let isFirst = true;
    for (let i = 0; i < count; i++) {
      if (hidden?.[i] === 1) continue;
      const row = references[i]!;
      if (!isFirst) writer.char(comma);
      isFirst = false;
      writer.put(this.nodeOpening);
      const place = writer.place;
      putText(writer, of.ids, row);
      places[i * 2] = place;
      places[i * 2 + 1] = writer.place - place;
      if (of.isVisible(row, nowMs)) {
        this.times(of.firstSeenMs(row), of.lastSeenMs(row));
        this.values(of, properties, row, select);
      } else writer.char(close);
      if (writer.place > bytesMax) return false;
    }
    return true;
  }

  edges({ of, select, reversed, from, to, columns }: EdgesOfLevel, near: number[], far: number[]): boolean {
    const { writer } = this;
    const properties = this.propertiesOf(of);
    const { edges, origins, targets, lastSeenMs } = columns;
    of.warm(edges.subarray(from, to), to - from, select);
    for (let i = from; i < to; i++) {
      if (i > from) writer.char(comma);
      const row = edges[i]!;
      const origin = origins[i]! * 2;
      const target = targets[i]! * 2;
      writer.put(this.edgeOpening);
      if (reversed) writer.again(far[target]!, far[target + 1]!);
      else writer.again(near[origin]!, near[origin + 1]!);
      writer.put(toKey);
      if (reversed) writer.again(near[origin]!, near[origin + 1]!);
      else writer.again(far[target]!, far[target + 1]!);
      this.times(of.firstSeenMs(row), lastSeenMs[i]!);
      this.values(of, properties, row, select);
      if (writer.place > bytesMax) return false;
    }
    return true;
  }

  private times(firstSeenMs: number, lastSeenMs: number): void {
    const { writer } = this;
    writer.put(firstSeenKey);
    writer.time(firstSeenMs);
    writer.put(lastSeenKey);
    writer.time(lastSeenMs);
  }

  /** Absent properties are left out. Closes the element, too. */
  private values(
    of: ElementsInPlace,
    properties: readonly PropertyJson[],
    row: number,
    select: readonly number[],
  ): void {
    const { writer } = this;
    const removedAtMs = of.hasRemovals ? of.removedAtMs(row) : -Infinity;
    writer.put(propertiesKey);
    let isFirst = true;
    for (let i = 0; i < select.length; i++) {
      if (properties[select[i]!]!.write(row, removedAtMs, isFirst)) isFirst = false;
    }
    writer.put(closes);
  }

  /** How properties lie in the store is known when it is first asked. */
  private propertiesOf(of: ElementsInPlace): readonly PropertyJson[] {
    if (this.of !== of) {
      this.of = of;
      this.properties = of.properties.map((property, i) => propertyJson(this.writer, this.models[i]!, property));
    }
    return this.properties;
  }
}

function putText(writer: JsonWriter, of: PlacedBytes, row: number): void {
  of.place(row);
  writer.utf8(of.bytes, of.start, of.end);
}

/** Writes one property of a row, unless it is absent. */
interface PropertyJson {
  /** Whether there was something to write. */
  write(row: number, removedAtMs: number, isFirst: boolean): boolean;
}

/** Opens with the key. */
class PropertyKey {
  readonly writer: JsonWriter;
  private readonly first: JsonBytes;
  private readonly next: JsonBytes;

  constructor(writer: JsonWriter, name: string) {
    this.writer = writer;
    this.first = jsonBytes(`${JSON.stringify(name)}:`);
    this.next = jsonBytes(`,${JSON.stringify(name)}:`);
  }

  put(isFirst: boolean): void {
    this.writer.put(isFirst ? this.first : this.next);
  }
}

function propertyJson(writer: JsonWriter, model: PropertyModel, property: PropertyInPlace): PropertyJson {
  const key = new PropertyKey(writer, model.name);
  switch (property.form) {
    case "int64":
      return new Int64Json(key, property.of);
    case "text":
      return new TextJson(key, property.of);
    case "number":
      return new NumberJson(key, property.of, numberWriter(writer, model.type));
    case "value":
      return new ValueJson(key, property.of, propertyWriter(writer, model));
  }
}

class Int64Json implements PropertyJson {
  private readonly key: PropertyKey;
  private readonly of: Extract<PropertyInPlace, { form: "int64" }>["of"];

  constructor(key: PropertyKey, of: Extract<PropertyInPlace, { form: "int64" }>["of"]) {
    this.key = key;
    this.of = of;
  }

  write(row: number, removedAtMs: number, isFirst: boolean): boolean {
    const { key, of } = this;
    const state = of.stateOf(row, removedAtMs);
    if (state === stateAbsent) return false;
    key.put(isFirst);
    if (state === stateNull) key.writer.raw("null");
    else key.writer.int64(of.int64(row));
    return true;
  }
}

class TextJson implements PropertyJson {
  private readonly key: PropertyKey;
  private readonly of: Extract<PropertyInPlace, { form: "text" }>["of"];

  constructor(key: PropertyKey, of: Extract<PropertyInPlace, { form: "text" }>["of"]) {
    this.key = key;
    this.of = of;
  }

  write(row: number, removedAtMs: number, isFirst: boolean): boolean {
    const { key, of } = this;
    const state = of.stateOf(row, removedAtMs);
    if (state === stateAbsent) return false;
    key.put(isFirst);
    if (state === stateNull) key.writer.raw("null");
    else putText(key.writer, of, row);
    return true;
  }
}

class NumberJson implements PropertyJson {
  private readonly key: PropertyKey;
  private readonly of: Extract<PropertyInPlace, { form: "number" }>["of"];
  private readonly put: (value: number) => void;

  constructor(key: PropertyKey, of: Extract<PropertyInPlace, { form: "number" }>["of"], put: (value: number) => void) {
    this.key = key;
    this.of = of;
    this.put = put;
  }

  write(row: number, removedAtMs: number, isFirst: boolean): boolean {
    const { key, of } = this;
    const state = of.stateOf(row, removedAtMs);
    if (state === stateAbsent) return false;
    key.put(isFirst);
    if (state === stateNull) key.writer.raw("null");
    else this.put(of.number(row));
    return true;
  }
}

class ValueJson implements PropertyJson {
  private readonly key: PropertyKey;
  private readonly of: Extract<PropertyInPlace, { form: "value" }>["of"];
  private readonly put: (value: PropertyValue) => void;

  constructor(
    key: PropertyKey,
    of: Extract<PropertyInPlace, { form: "value" }>["of"],
    put: (value: PropertyValue) => void,
  ) {
    this.key = key;
    this.of = of;
    this.put = put;
  }

  write(row: number, removedAtMs: number, isFirst: boolean): boolean {
    const { key, of } = this;
    const value = of.read(row, removedAtMs);
    if (value === undefined) return false;
    key.put(isFirst);
    if (value === null) key.writer.raw("null");
    else this.put(value);
    return true;
  }
}

/** Writes numbers as they lie in the store. */
function numberWriter(writer: JsonWriter, type: ValueType): (value: number) => void {
  switch (type.kind) {
    case "timestamp":
      return (value) => writer.time(value);
    case "boolean":
      return (value) => writer.raw(value === 1 ? "true" : "false");
    case "enum": {
      const symbols = type.symbols.map((symbol) => jsonBytes(JSON.stringify(symbol)));
      return (value) => {
        const symbol = symbols[value];
        if (symbol === undefined) valueOfNumber(type, value);
        else writer.put(symbol);
      };
    }
    default:
      return (value) => writer.number(value);
  }
}
