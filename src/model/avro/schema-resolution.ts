// Avro schema resolution decided on schemas alone: can a reader with one schema read what a writer wrote with another, and if not, why not.
//
// The rules are the Avro specification's ("Schema Resolution"): named types match by their last name part or by an alias of the reader's; a field that the
// writer lacks needs a default; every branch of a writer's union must be readable; enums need all the writer's symbols or a default; int widens to long,
// float and double, long to float and double, float to double; string and bytes are read as each other.
//
// Recursive types: the largest relation that satisfies the rules. Every pair of records counts as readable until something in it is not; passes are
// repeated until none changes that, so each pass looks at a pair once, however often schemas refer to it.
import type { AvroField, AvroNode } from "./schema-tree.ts";

const reasonsMax = 50;

const promotions: ReadonlyMap<AvroNode["kind"], readonly AvroNode["kind"][]> = new Map<
  AvroNode["kind"],
  readonly AvroNode["kind"][]
>([
  ["int", ["long", "float", "double"]],
  ["long", ["float", "double"]],
  ["float", ["double"]],
  ["string", ["bytes"]],
  ["bytes", ["string"]],
]);

type RecordNode = Extract<AvroNode, { kind: "record" }>;

/** Why `reader` cannot read everything that `writer` describes; empty when it can. At most 50 reasons. */
export function readingProblems(reader: AvroNode, writer: AvroNode): readonly string[] {
  const unreadable = new Pairs();
  let size: number;
  do {
    size = unreadable.size;
    new Readable(unreadable).check(reader, writer);
  } while (unreadable.size > size);
  const problems: string[] = [];
  new Explanation(unreadable, problems).explain(reader, writer, "");
  return problems;
}

class Pairs {
  size = 0;
  readonly #pairs = new Map<AvroNode, Set<AvroNode>>();

  has(reader: AvroNode, writer: AvroNode): boolean {
    return this.#pairs.get(reader)?.has(writer) === true;
  }

  /** Whether the pair is new. */
  add(reader: AvroNode, writer: AvroNode): boolean {
    const writers = this.#pairs.get(reader) ?? new Set();
    if (writers.has(writer)) return false;
    this.#pairs.set(reader, writers.add(writer));
    this.size += 1;
    return true;
  }
}

/** One pass over the pairs of records, taking those for readable that are not yet known to be unreadable. */
class Readable {
  readonly #unreadable: Pairs;
  readonly #seen = new Pairs();

  constructor(unreadable: Pairs) {
    this.#unreadable = unreadable;
  }

  check(reader: AvroNode, writer: AvroNode): boolean {
    if (writer.kind === "union") return writer.branches.every((branch) => this.check(reader, branch));
    if (reader.kind === "union") return reader.branches.some((branch) => this.check(branch, writer));
    if (reader.kind === "array" && writer.kind === "array") return this.check(reader.items, writer.items);
    if (reader.kind === "map" && writer.kind === "map") return this.check(reader.values, writer.values);
    if (reader.kind === "record" && writer.kind === "record" && sameName(reader, writer)) {
      return this.#checkRecords(reader, writer);
    }
    return plainProblem(reader, writer) === undefined;
  }

  #checkRecords(reader: RecordNode, writer: RecordNode): boolean {
    if (this.#unreadable.has(reader, writer)) return false;
    if (!this.#seen.add(reader, writer)) return true;
    const find = fieldFinder(writer);
    const readable = reader.fields.every((field) => {
      const written = find(field);
      return written === undefined ? field.hasDefault : this.check(field.type, written.type);
    });
    if (!readable) this.#unreadable.add(reader, writer);
    return readable;
  }
}

/** Words what the passes have found. */
class Explanation {
  readonly #readable: Readable;
  readonly #seen = new Pairs();
  readonly #problems: string[];

  constructor(unreadable: Pairs, problems: string[]) {
    this.#readable = new Readable(unreadable);
    this.#problems = problems;
  }

  explain(reader: AvroNode, writer: AvroNode, path: string): void {
    if (writer.kind === "union") {
      for (const branch of writer.branches) this.explain(reader, branch, path);
    } else if (reader.kind === "union") {
      if (this.#readable.check(reader, writer)) return;
      // The branch of the same name says best what is wrong; without one, the union itself lacks it.
      const namesake = reader.branches.find((branch) => branch.kind === writer.kind && sameName(branch, writer));
      if (namesake === undefined) this.#add(path, `no branch of the union reads ${describe(writer)}`);
      else this.explain(namesake, writer, path);
    } else if (reader.kind === "array" && writer.kind === "array") {
      this.explain(reader.items, writer.items, `${path}[]`);
    } else if (reader.kind === "map" && writer.kind === "map") {
      this.explain(reader.values, writer.values, `${path}{}`);
    } else if (reader.kind === "record" && writer.kind === "record" && sameName(reader, writer)) {
      this.#explainRecords(reader, writer, path);
    } else {
      const problem = plainProblem(reader, writer);
      if (problem !== undefined) this.#add(path, problem);
    }
  }

  #explainRecords(reader: RecordNode, writer: RecordNode, path: string): void {
    if (!this.#seen.add(reader, writer)) return;
    const find = fieldFinder(writer);
    for (const field of reader.fields) {
      const within = path === "" ? field.name : `${path}.${field.name}`;
      const written = find(field);
      if (written !== undefined) this.explain(field.type, written.type, within);
      else if (!field.hasDefault) this.#add(within, "the field was not written and has no default");
    }
  }

  #add(path: string, problem: string): void {
    if (this.#problems.length < reasonsMax) this.#problems.push(`${path === "" ? "the schema" : path}: ${problem}`);
  }
}

/** What the two say without looking inside them. */
function plainProblem(reader: AvroNode, writer: AvroNode): string | undefined {
  if (reader.kind !== writer.kind) {
    if (promotions.get(writer.kind)?.includes(reader.kind) === true) return undefined;
    return `${describe(reader)} cannot read ${describe(writer)}`;
  }
  if (!sameName(reader, writer)) {
    return `${describe(reader)} cannot read ${describe(writer)}: neither its name nor an alias is the same`;
  }
  if (reader.kind === "fixed" && writer.kind === "fixed" && reader.size !== writer.size) {
    return `fixed ${reader.name} has ${reader.size} bytes, but was written with ${writer.size}`;
  }
  if (reader.kind === "enum" && writer.kind === "enum" && reader.default === undefined) {
    const known = new Set(reader.symbols);
    const missing = writer.symbols.filter((symbol) => !known.has(symbol));
    if (missing.length > 0) return `enum ${reader.name} lacks ${missing.slice(0, 20).join(", ")} and has no default`;
  }
  return undefined;
}

/** By the reader's name for the field, else by one of its aliases. */
function fieldFinder(writer: RecordNode): (field: AvroField) => AvroField | undefined {
  const byName = new Map(writer.fields.map((field) => [field.name, field]));
  return (field) => {
    const alias = byName.has(field.name) ? field.name : field.aliases.find((name) => byName.has(name));
    return alias === undefined ? undefined : byName.get(alias);
  };
}

function sameName(reader: AvroNode, writer: AvroNode): boolean {
  if (!("name" in reader) || !("name" in writer)) return true;
  return lastPart(reader.name) === lastPart(writer.name) || reader.aliases.includes(writer.name);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

function describe(node: AvroNode): string {
  return "name" in node ? `${node.kind} ${node.name}` : node.kind;
}
