// What a definition says of a team's topic against what the registry says of it now: what has changed since it was imported, and what cannot be read.
import { RdgError } from "../core/errors.ts";
import { parseAvroSchema, type AvroNode } from "../model/avro/schema-tree.ts";
import { compileSourceReader, type SourceFinding } from "../model/avro/source-record.ts";
import type { EventModel, EventSource, GraphModel, SideInputModel } from "../model/definition.ts";
import { sourceShape } from "../model/source-shape.ts";
import type { FieldModel, ValueType } from "../model/value-type.ts";
import { importSchema } from "./import-schema.ts";
import type { SchemaRegistry } from "./port.ts";

/** One of the two says whose source it is. */
interface SourceOwner {
  readonly event?: string;
  /** Of a side input. */
  readonly input?: string;
}

export interface SourceReport extends SourceOwner {
  readonly topic: string;
  readonly values: EventSource["values"];
  readonly subject?: string;
  /** That the definition reads by. */
  readonly version?: number;
  readonly latest?: number;
  /** What the latest version has otherwise than the one that the definition reads by. */
  readonly drift?: { readonly version: number; readonly changes: readonly string[] };
  /** Of reading records of each live version, the latest first. Those that only want minding are told of the latest one. */
  readonly findings: readonly (SourceFinding & { readonly version: number })[];
  /** Why it could not be looked at. */
  readonly problem?: { readonly code: string; readonly message: string };
}

const versionsMax = 50;

/**
 * Events and side inputs that have a source.
 * @param latestMax so many versions are looked at, the latest ones
 * @throws RdgError unavailable, unauthorized
 */
export async function checkSources(
  { events, sideInputs }: Pick<GraphModel, "events" | "sideInputs">,
  registry: SchemaRegistry | undefined,
  latestMax = versionsMax,
): Promise<readonly SourceReport[]> {
  const reports: SourceReport[] = [];
  const check = async (owner: SourceOwner, { fields, source }: EventModel | SideInputModel): Promise<void> => {
    if (source !== undefined) reports.push({ ...owner, ...(await checkSource(fields, source, registry, latestMax)) });
  };
  for (const event of events) await check({ event: event.name }, event);
  for (const input of sideInputs) await check({ input: input.name }, input);
  return reports;
}

/** Whether the definition has to change, or somebody has to look. */
export const hasDrifted = ({ drift, findings, problem }: SourceReport): boolean =>
  problem !== undefined ||
  (drift !== undefined && drift.changes.length > 0) ||
  findings.some(({ unreadable }) => unreadable !== "none");

async function checkSource(
  fields: readonly FieldModel[],
  source: EventSource,
  registry: SchemaRegistry | undefined,
  latestMax: number,
): Promise<Omit<SourceReport, keyof SourceOwner>> {
  const { topic, values, subject, version } = source;
  const about = { topic, values, ...(subject && { subject }), ...(version && { version }) };
  if (subject === undefined || registry === undefined) return { ...about, findings: [] };
  try {
    const versions = (await registry.versions(subject)).slice(-latestMax).reverse();
    const latest = versions[0]!;
    const rootOf = async (number: number): Promise<AvroNode> =>
      parseAvroSchema((await registry.version(subject, number, { deleted: true })).schema).root;
    const pinned = version === undefined ? undefined : await rootOf(version);
    const shape = sourceShape(fields, source);
    const findings: (SourceFinding & { version: number })[] = [];
    for (const number of versions) {
      const writer = await rootOf(number);
      for (const finding of compileSourceReader(shape, pinned ?? writer, writer).findings) {
        if (number === latest || finding.unreadable !== "none") findings.push({ ...finding, version: number });
      }
    }
    if (pinned === undefined || latest === version) return { ...about, latest, findings };
    return { ...about, latest, findings, drift: { version: latest, changes: changesOf(pinned, await rootOf(latest)) } };
  } catch (error) {
    if (!(error instanceof RdgError) || (error.kind !== "not_found" && error.kind !== "invalid")) throw error;
    return { ...about, findings: [], problem: { code: error.code, message: error.message } };
  }
}

/** By the fields that both would be imported as. */
function changesOf(before: AvroNode, after: AvroNode): readonly string[] {
  const [earlier, later] = [importSchema(before), importSchema(after)];
  const refused = later.refusals.map(({ place, reason }) => `${place || "the schema"} cannot be imported: ${reason}`);
  if (refused.length > 0 || earlier.refusals.length > 0) return refused;
  const [was, is] = [leavesOf(earlier.fields), leavesOf(later.fields)];
  return [
    ...[...was.keys()].filter((path) => !is.has(path)).map((path) => `${path} is gone`),
    ...[...is].flatMap(([path, type]) => {
      const old = was.get(path);
      if (old === undefined) return [`${path} is new: ${type}`];
      return old === type ? [] : [`${path} was ${old} and is now ${type}`];
    }),
  ];
}

/** Single values by their paths, with what they are. */
function leavesOf(fields: readonly FieldModel[]): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const visit = (type: ValueType, path: string, suffix: string): void => {
    switch (type.kind) {
      case "array":
        return visit(type.item, `${path}[]`, suffix);
      case "map":
        return visit(type.value, `${path}{}`, suffix);
      case "record":
        if (suffix !== "") leaves.set(path, `record${suffix}`);
        for (const field of type.fields)
          visit(field.type, path === "" ? field.name : `${path}.${field.name}`, optional(field));
        return;
      case "enum":
        leaves.set(path, `enum(${type.symbols.join(", ")})${suffix}`);
        return;
      default:
        leaves.set(path, type.kind + suffix);
    }
  };
  visit({ kind: "record", fields }, "", "");
  return leaves;
}

const optional = (field: FieldModel): string => (field.optional ? ", optional" : "");
