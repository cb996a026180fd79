// A definition that a server told, written as TypeScript: for programs that ask and send, so without jobs and the functions of enrichments.
//
// The definition comes over the network: every name is checked before it becomes code.
import { RdgError } from "../core/errors.ts";
import type {
  AskedEnrichmentModel,
  EdgeModel,
  EventModel,
  FieldModel,
  GraphModel,
  NodeModel,
  PropertyModel,
  SideInputModel,
} from "../model/definition.ts";
import type { ValueType } from "../model/value-type.ts";

/** What `rdg client` needs of a definition: events and rows to send, nodes, edges and enrichments to ask for. */
export interface ClientModel extends Pick<GraphModel, "name" | "events" | "sideInputs" | "nodes" | "edges"> {
  readonly enrichments: readonly AskedEnrichmentModel[];
}

/** @throws RdgError invalid, `unknown_definition` when it is none that this version of RDG writes */
export function definitionSource(model: ClientModel, comment: readonly string[]): string {
  const identifiers = identifiersOf(model);
  const declarations = [
    ...model.events.map((event) => eventSource(event, identifiers.get(event)!)),
    ...model.sideInputs.map((input) => sideInputSource(input, identifiers.get(input)!)),
    ...model.nodes.map((node) => nodeSource(node, identifiers.get(node)!)),
    ...model.edges.map((edge) => edgeSource(edge, identifiers.get(edge)!, model, identifiers)),
    ...model.enrichments.map((each) => enrichmentSource(each, identifiers.get(each)!, model, identifiers)),
  ].join("\n");
  const used = ["edge", "enrichment", "event", "node", "sideInput", "t"].filter((name) =>
    new RegExp(`\\b${name}[.(]`).test(declarations),
  );
  const lines = comment.map((line) => `// ${line.replaceAll(/\s+/g, " ")}`);
  if (used.length > 0) lines.push(`import { ${used.join(", ")} } from "rdg";`, "");
  return `${lines.join("\n")}\n${declarations}`;
}

type Declared = EventModel | SideInputModel | NodeModel | EdgeModel | AskedEnrichmentModel;

/** `has_profile` is `hasProfile`; what is taken, or means something else, gets its kind behind it. */
function identifiersOf({ events, sideInputs, nodes, edges, enrichments }: ClientModel): ReadonlyMap<Declared, string> {
  const identifiers = new Map<Declared, string>();
  const taken = new Set<string>();
  const kinds = [
    ["Node", nodes],
    ["Edge", edges],
    ["Event", events],
    ["Input", sideInputs],
    ["Enrichment", enrichments],
  ] as const;
  for (const [kind, declared] of kinds) {
    for (const model of declared) {
      const plain = camelCase(checked(model.name));
      let identifier = reserved.has(plain) || taken.has(plain) ? `${plain}${kind}` : plain;
      for (let number = 2; taken.has(identifier); number++) identifier = `${plain}${kind}${number}`;
      taken.add(identifier);
      identifiers.set(model, identifier);
    }
  }
  return identifiers;
}

function camelCase(name: string): string {
  return name.replaceAll(
    /([a-zA-Z0-9])_+([a-zA-Z0-9])/g,
    (_, before: string, after: string) => before + after.toUpperCase(),
  );
}

/** Words that cannot be declared, and what the file imports. */
const reserved = new Set(
  (
    "arguments await break case catch class const continue debugger default delete do edge else enrichment enum eval event export extends false finally for function if " +
    "implements import in instanceof interface let new node null package private protected public return sideInput static super switch t this throw true try typeof " +
    "undefined var void while with yield"
  ).split(" "),
);

const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;

function checked(name: unknown): string {
  if (typeof name === "string" && namePattern.test(name)) return name;
  throw unknown(`the name ${JSON.stringify(name)?.slice(0, 100)}`);
}

function eventSource(event: EventModel, identifier: string): string {
  const { name, key, time, id, dedupHorizonMs, partitions, retention, fields } = event;
  const kept = [
    ...(retention.timeMs === undefined ? [] : [`time: ${duration(retention.timeMs)}`]),
    ...(retention.sizeBytes === undefined ? [] : [`bytes: ${integer(retention.sizeBytes)}`]),
  ];
  return lines(`export const ${identifier} = event(${text(name)}, {`, [
    `key: ${text(key)},`,
    `time: ${text(time)},`,
    ...(id === undefined ? [] : [`id: ${text(id)},`]),
    ...(dedupHorizonMs === 3_600_000 ? [] : [`dedupHorizon: ${duration(dedupHorizonMs)},`]),
    ...(partitions === 1 ? [] : [`partitions: ${integer(partitions)},`]),
    ...(kept.length === 0 ? [] : [`retention: { ${kept.join(", ")} },`]),
    ...fieldLines(fields),
  ]);
}

function sideInputSource({ name, key, fields }: SideInputModel, identifier: string): string {
  return lines(`export const ${identifier} = sideInput(${text(name)}, {`, [
    `key: ${text(key)},`,
    ...fieldLines(fields),
  ]);
}

function enrichmentSource(
  { name, on, fields }: AskedEnrichmentModel,
  identifier: string,
  { nodes }: ClientModel,
  identifiers: ReadonlyMap<Declared, string>,
): string {
  const node = nodeNamed(on, "an enrichment", nodes, identifiers);
  return lines(`export const ${identifier} = enrichment(${text(name)}, {`, [`on: ${node},`, ...fieldLines(fields)]);
}

function fieldLines(fields: readonly FieldModel[]): string[] {
  return ["fields: {", ...fields.map((field) => `  ${member(field.name)}: ${fieldSource(field)},`), "},"];
}

function nodeNamed(
  name: string,
  of: string,
  nodes: readonly NodeModel[],
  identifiers: ReadonlyMap<Declared, string>,
): string {
  const node = nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw unknown(`the node type ${JSON.stringify(name)} of ${of}`);
  return identifiers.get(node)!;
}

function nodeSource({ name, properties, ttlMs }: NodeModel, identifier: string): string {
  const declared = `export const ${identifier} = node(${text(name)}`;
  const options = ttlMs === undefined ? "" : `, { ttl: ${duration(ttlMs)} }`;
  if (properties.length === 0) return `${declared}${options === "" ? "" : `, {}${options}`});\n`;
  return lines(`${declared}, {`, properties.map(propertyLine), `}${options});`);
}

function edgeSource(
  { name, from, to, properties, ttlMs }: EdgeModel,
  identifier: string,
  { nodes }: ClientModel,
  identifiers: ReadonlyMap<Declared, string>,
): string {
  const ends = [from, to].map((end) => nodeNamed(end, "an edge", nodes, identifiers));
  const declared = `export const ${identifier} = edge(${text(name)}, ${ends.join(", ")}`;
  const options = [
    ...(ttlMs === undefined ? [] : [`ttl: ${duration(ttlMs)},`]),
    ...(properties.length === 0 ? [] : ["properties: {", ...properties.map((each) => `  ${propertyLine(each)}`), "},"]),
  ];
  return options.length === 0 ? `${declared});\n` : lines(`${declared}, {`, options);
}

function lines(first: string, inner: readonly string[], last = "});"): string {
  return `${first}\n${inner.map((line) => `  ${line}\n`).join("")}${last}\n`;
}

function propertyLine({ name, type, merge, unionMax }: PropertyModel): string {
  return `${member(name)}: ${mergedSource(type, merge, unionMax)},`;
}

function mergedSource(type: ValueType, merge: PropertyModel["merge"], unionMax: number | undefined): string {
  switch (merge) {
    case "last":
      return typeSource(type);
    case "sum":
      return "t.counter()";
    case "union":
      return `t.set(${typeSource(type)}${unionMax === undefined || unionMax === 256 ? "" : `, { sizeMax: ${integer(unionMax)} }`})`;
    case "first":
    case "min":
    case "max":
      return `${typeSource(type)}.merge(${text(merge)})`;
    default:
      throw unknown(`the merge policy ${JSON.stringify(merge)}`);
  }
}

function fieldSource({ type, optional }: FieldModel): string {
  return `${typeSource(type)}${optional ? ".optional()" : ""}`;
}

function typeSource(type: ValueType): string {
  switch (type.kind) {
    case "string":
    case "int32":
    case "int64":
    case "double":
    case "boolean":
    case "timestamp":
    case "bytes":
      return `t.${type.kind}()`;
    case "enum":
      return `t.enum(${type.symbols.map(text).join(", ")})`;
    case "array":
      return `t.array(${typeSource(type.item)})`;
    case "map":
      return `t.map(${typeSource(type.value)})`;
    case "record":
      return `t.record({ ${type.fields.map((field) => `${member(field.name)}: ${fieldSource(field)}`).join(", ")} })`;
    default:
      throw unknown(`a field of kind ${JSON.stringify((type as { kind: unknown }).kind)}`);
  }
}

function text(name: unknown): string {
  return JSON.stringify(checked(name));
}

/** `__proto__: ...` would set the prototype. */
function member(name: unknown): string {
  return checked(name) === "__proto__" ? '["__proto__"]' : checked(name);
}

function integer(value: unknown): string {
  if (Number.isSafeInteger(value)) return String(value);
  throw unknown(`the number ${JSON.stringify(value)}`);
}

function duration(ms: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
  ] as const;
  const [unit, factor] = units.find(([, factor]) => Number(integer(ms)) % factor === 0) ?? ["ms", 1];
  return `"${ms / factor}${unit}"`;
}

function unknown(what: string): RdgError {
  return new RdgError(
    "invalid",
    "unknown_definition",
    `The definition holds ${what}, which this version does not know.`,
    {
      hint: "Use the version of rdg that the server runs.",
    },
  );
}
