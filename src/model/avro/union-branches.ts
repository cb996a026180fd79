// The types of an Avro union: which one reads what was written, and what each is called where a union becomes a record with a field per type.
import type { AvroNode } from "./schema-tree.ts";

type UnionNode = Extract<AvroNode, { kind: "union" }>;

const promotions: Readonly<Partial<Record<AvroNode["kind"], readonly AvroNode["kind"][]>>> = {
  int: ["long", "float", "double"],
  long: ["float", "double"],
  float: ["double"],
  string: ["bytes"],
  bytes: ["string"],
};

/** By kind and name, then by kind alone, then by promotion. */
export function matchingBranch(union: UnionNode, writer: AvroNode): number | undefined {
  const tests: readonly ((branch: AvroNode) => boolean)[] = [
    (branch) => branch.kind === writer.kind && isNamedAlike(branch, writer),
    (branch) => branch.kind === writer.kind,
    (branch) => promotions[writer.kind]?.includes(branch.kind) === true,
  ];
  for (const matches of tests) {
    const index = union.branches.findIndex(matches);
    if (index >= 0) return index;
  }
  return undefined;
}

/** Whether one of several records (enums, fixeds) of a union would be taken for another one, because its own is not there to read it. */
export function isMistakable(reader: AvroNode, branch: AvroNode, writer: UnionNode): boolean {
  if (!("name" in branch) || writer.branches.filter(({ kind }) => kind === branch.kind).length < 2) return false;
  const readers = (reader.kind === "union" ? reader.branches : [reader]).filter(({ kind }) => kind === branch.kind);
  return readers.length > 0 && !readers.some((each) => isNamedAlike(each, branch));
}

/** `null` has none. Named types by their last name part; where two have the same one, by the full one with underscores. */
export function branchNames(union: UnionNode): readonly (string | undefined)[] {
  const short = (node: AvroNode): string => ("name" in node ? lastPart(node.name) : node.kind);
  const counts = new Map<string, number>();
  for (const branch of union.branches) counts.set(short(branch), (counts.get(short(branch)) ?? 0) + 1);
  const taken = new Set<string>();
  return union.branches.map((branch) => {
    if (branch.kind === "null") return undefined;
    const simple = short(branch);
    let name = counts.get(simple) === 1 || !("name" in branch) ? simple : branch.name.replaceAll(".", "_");
    while (taken.has(name)) name += "_";
    taken.add(name);
    return name;
  });
}

function isNamedAlike(reader: AvroNode, writer: AvroNode): boolean {
  if (!("name" in reader) || !("name" in writer)) return true;
  return lastPart(reader.name) === lastPart(writer.name) || reader.aliases.includes(writer.name);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
