import type {
  EdgeModel,
  EventModel,
  EventSource,
  FieldModel,
  GraphModel,
  JobModel,
  NodeModel,
  PropertyModel,
  SideInputModel,
  ValueType,
} from "./definition.ts";
// What differs between two definitions, and what it takes to deploy the newer one. Decided on the models alone, before anything is touched.
//
// - compatible: stored events, the graph and its readers go on as they are.
// - needs_backfill: it can be deployed, but what was computed from earlier events is not what the new definition would have computed.
// - breaking: stored events cannot be read any more, producers or readers have to change, or the order per key is lost.
import { canonicalJson } from "./fingerprint.ts";

export type ChangeClass = "compatible" | "needs_backfill" | "breaking";

export interface Change {
  /** For people: `field added, optional`. */
  readonly what: string;
  /** For example `event playback.fields.at`. */
  readonly place: string;
  readonly class: ChangeClass;
}

/** Every difference, in the order of the newer definition, what was removed first. Empty when the definitions are the same. */
export function classifyChange(before: GraphModel, after: GraphModel): readonly Change[] {
  const changes = new Changes();
  changes.compare("graph", "name", before.name, after.name, "breaking");
  changes.lists("event", before.events, after.events, eventChanges);
  changes.lists("sideInput", before.sideInputs, after.sideInputs, sideInputChanges);
  changes.lists("node", before.nodes, after.nodes, elementChanges);
  changes.lists("edge", before.edges, after.edges, edgeChanges);
  changes.lists("job", before.jobs.map(named), after.jobs.map(named), jobChanges);
  changes.compare("graph", "skewMax", before.skewMaxMs, after.skewMaxMs, "compatible");
  changes.compare("graph", "lateness", before.latenessMs, after.latenessMs, "compatible");
  changes.compare("graph", "tombstoneGrace", before.tombstoneGraceMs, after.tombstoneGraceMs, "compatible");
  changes.compare("graph", "traversals", before.traversals, after.traversals, "compatible");
  return changes.found;
}

/** The worst of them; undefined when nothing changed. */
export function worstClass(changes: readonly Change[]): ChangeClass | undefined {
  const order: readonly ChangeClass[] = ["breaking", "needs_backfill", "compatible"];
  return order.find((candidate) => changes.some((change) => change.class === candidate));
}

type Named = { readonly name: string };
type Compare<M> = (place: string, before: M, after: M, changes: Changes) => void;

class Changes {
  readonly found: Change[] = [];

  add(place: string, what: string, kind: ChangeClass): void {
    this.found.push({ what, place, class: kind });
  }

  /** A value that is one piece. */
  compare(place: string, what: string, before: unknown, after: unknown, kind: ChangeClass): void {
    if (canonicalJson(before ?? null) !== canonicalJson(after ?? null)) {
      this.add(`${place}.${what}`, `${what} changed from ${shown(before)} to ${shown(after)}`, kind);
    }
  }

  /** Declarations by name. Taking one away breaks whoever uses it; a new one hurts nobody. */
  lists<M extends Named>(kind: string, before: readonly M[], after: readonly M[], compare: Compare<M>): void {
    const [earlier, later] = [byName(before), byName(after)];
    for (const name of earlier.keys()) if (!later.has(name)) this.add(`${kind} ${name}`, `${kind} removed`, "breaking");
    for (const [name, model] of later) {
      const was = earlier.get(name);
      if (was === undefined) this.add(`${kind} ${name}`, `${kind} added`, "compatible");
      else compare(`${kind} ${name}`, was, model, this);
    }
  }
}

function byName<M extends Named>(models: readonly M[]): Map<string, M> {
  return new Map(models.map((model) => [model.name, model]));
}

function shown(value: unknown): string {
  return value === undefined ? "none" : JSON.stringify(value);
}

function eventChanges(place: string, before: EventModel, after: EventModel, changes: Changes): void {
  fieldListChanges(`${place}.fields`, before.fields, after.fields, changes);
  changes.compare(place, "key", before.key, after.key, "breaking");
  changes.compare(place, "time", before.time, after.time, "needs_backfill");
  changes.compare(place, "id", before.id, after.id, "compatible");
  changes.compare(place, "dedupHorizon", before.dedupHorizonMs, after.dedupHorizonMs, "compatible");
  const grows = after.partitions % before.partitions === 0;
  changes.compare(place, "partitions", before.partitions, after.partitions, grows ? "compatible" : "breaking");
  changes.compare(place, "retention", before.retention, after.retention, "compatible");
  sourceChanges(`${place}.from`, before.source, after.source, changes);
}

/** Another topic has other records at the same offsets. */
function sourceChanges(
  place: string,
  before: EventSource | undefined,
  after: EventSource | undefined,
  changes: Changes,
): void {
  changes.compare(place, "topic", before?.topic, after?.topic, "breaking");
  changes.compare(place, "values", before?.values, after?.values, "breaking");
  changes.compare(place, "subject", before?.subject, after?.subject, "compatible");
  changes.compare(place, "version", before?.version, after?.version, "compatible");
  changes.compare(place, "paths", before?.paths, after?.paths, "needs_backfill");
}

function sideInputChanges(place: string, before: SideInputModel, after: SideInputModel, changes: Changes): void {
  fieldListChanges(`${place}.fields`, before.fields, after.fields, changes);
  changes.compare(place, "key", before.key, after.key, "breaking");
  changes.compare(place, "partitions", before.partitions ?? 1, after.partitions ?? 1, "compatible");
  sourceChanges(`${place}.from`, before.source, after.source, changes);
}

/** Stored records are read with the new fields, and producers still send the old ones. */
function fieldListChanges(
  place: string,
  before: readonly FieldModel[],
  after: readonly FieldModel[],
  changes: Changes,
): void {
  const [earlier, later] = [byName(before), byName(after)];
  for (const name of earlier.keys()) if (!later.has(name)) changes.add(`${place}.${name}`, "field removed", "breaking");
  for (const [name, field] of later) {
    const was = earlier.get(name);
    if (was === undefined) {
      if (field.optional) changes.add(`${place}.${name}`, "field added, optional", "compatible");
      else changes.add(`${place}.${name}`, "field added, required", "breaking");
      continue;
    }
    if (was.optional && !field.optional) changes.add(`${place}.${name}`, "field is required now", "breaking");
    if (!was.optional && field.optional) changes.add(`${place}.${name}`, "field is optional now", "compatible");
    typeChanges(`${place}.${name}`, was.type, field.type, changes);
  }
}

const widenings: ReadonlySet<string> = new Set(["int32 int64", "int32 double"]);

function typeChanges(place: string, before: ValueType, after: ValueType, changes: Changes): void {
  if (before.kind === "array" && after.kind === "array")
    return typeChanges(`${place}[]`, before.item, after.item, changes);
  if (before.kind === "map" && after.kind === "map")
    return typeChanges(`${place}{}`, before.value, after.value, changes);
  if (before.kind === "record" && after.kind === "record")
    return fieldListChanges(place, before.fields, after.fields, changes);
  if (before.kind === "enum" && after.kind === "enum")
    return symbolChanges(place, before.symbols, after.symbols, changes);
  if (before.kind === after.kind) return;
  const kind = widenings.has(`${before.kind} ${after.kind}`) ? "compatible" : "breaking";
  changes.add(place, `type changed from ${before.kind} to ${after.kind}`, kind);
}

/** Symbols are ordered as declared, and kept as their index: only appending leaves everything as it is. */
function symbolChanges(place: string, before: readonly string[], after: readonly string[], changes: Changes): void {
  const removed = before.filter((symbol) => !after.includes(symbol));
  if (removed.length > 0) return changes.add(place, `symbols removed: ${removed.join(", ")}`, "breaking");
  const added = after.filter((symbol) => !before.includes(symbol));
  if (before.some((symbol, index) => after[index] !== symbol)) {
    changes.add(place, "symbols in another order", "needs_backfill");
  } else if (added.length > 0) {
    changes.add(place, `symbols appended: ${added.join(", ")}`, "compatible");
  }
}

function elementChanges(place: string, before: NodeModel, after: NodeModel, changes: Changes): void {
  propertyChanges(`${place}.properties`, before.properties, after.properties, changes);
  ttlChanges(place, before.ttlMs, after.ttlMs, changes);
}

function edgeChanges(place: string, before: EdgeModel, after: EdgeModel, changes: Changes): void {
  changes.compare(place, "from", before.from, after.from, "breaking");
  changes.compare(place, "to", before.to, after.to, "breaking");
  elementChanges(place, before, after, changes);
}

function propertyChanges(
  place: string,
  before: readonly PropertyModel[],
  after: readonly PropertyModel[],
  changes: Changes,
): void {
  const [earlier, later] = [byName(before), byName(after)];
  for (const name of earlier.keys())
    if (!later.has(name)) changes.add(`${place}.${name}`, "property removed", "breaking");
  for (const [name, property] of later) {
    const [at, was] = [`${place}.${name}`, earlier.get(name)];
    if (was === undefined) {
      changes.add(at, "property added", "compatible");
      continue;
    }
    changes.compare(at, "merge", was.merge, property.merge, "needs_backfill");
    changes.compare(at, "sizeMax", was.unionMax, property.unionMax, "needs_backfill");
    storedTypeChanges(at, was.type, property.type, changes);
  }
}

/** What stores hold of a property cannot be widened in place: its values are computed again. */
function storedTypeChanges(place: string, before: ValueType, after: ValueType, changes: Changes): void {
  if (before.kind === "enum" && after.kind === "enum")
    return symbolChanges(place, before.symbols, after.symbols, changes);
  if (canonicalJson(before) === canonicalJson(after)) return;
  const kind = widenings.has(`${before.kind} ${after.kind}`) ? "needs_backfill" : "breaking";
  changes.add(place, `type changed from ${before.kind} to ${after.kind}`, kind);
}

/** A longer life cannot bring back what has expired. */
function ttlChanges(place: string, beforeMs: number | undefined, afterMs: number | undefined, changes: Changes): void {
  const longer = (afterMs ?? Infinity) > (beforeMs ?? Infinity);
  changes.compare(place, "ttl", beforeMs, afterMs, longer ? "needs_backfill" : "compatible");
}

function named(job: JobModel): JobModel & Named {
  return { ...job, name: job.event };
}

function jobChanges(place: string, before: JobModel, after: JobModel, changes: Changes): void {
  changes.compare(place, "settings", before.settings, after.settings, "compatible");
  if (canonicalJson(before.steps) !== canonicalJson(after.steps)) {
    changes.add(place, "conditions or side inputs changed", "needs_backfill");
  }
  if (canonicalJson(before.output) !== canonicalJson(after.output))
    changes.add(place, "updates changed", "needs_backfill");
}
