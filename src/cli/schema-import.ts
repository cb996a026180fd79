// `rdg schema import`: writes the definition of an event or a side input from the Avro schema that a team already has.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import type { Command } from "commander";
import { RdgError } from "../core/errors.ts";
import { print, printJson, say } from "./output.ts";

interface Options {
  readonly registry?: string;
  readonly registryCa?: string;
  readonly subjectVersion?: string;
  readonly topic?: string;
  readonly name?: string;
  readonly key?: string;
  readonly time?: string;
  readonly sideInput?: boolean;
  readonly partitions?: string;
  readonly omit: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

interface Found {
  readonly schema: string;
  readonly origin: string;
  readonly topic: string;
  readonly subject?: string;
  readonly version?: number;
}

const help = `
A file that does not exist is taken for a subject. RDG_REGISTRY_USERNAME and RDG_REGISTRY_PASSWORD, or RDG_REGISTRY_TOKEN, say who asks.

What of a schema becomes what, and what is refused: docs/registry.md.

Example:
  $ rdg schema import orders-value --registry http://localhost:8081 --key order_id --time created_at > order.ts
  $ rdg schema import order.avsc --topic orders --omit customer.parent`;

export function addSchemaImportCommand(schema: Command): void {
  schema
    .command("import")
    .description("write the definition of an event or a side input from an Avro schema")
    .argument("<subject|file>", "a subject of the registry, or a file with an Avro schema")
    .option("--registry <url>", "address of the registry's REST API (default: the variable RDG_REGISTRY_URL)")
    .option("--registry-ca <file>", "certificates that are trusted with it, PEM")
    .option("--subject-version <number>", "a version of the subject (default: the latest)")
    .option("--topic <topic>", "the topic that has the records (default: the subject without -value)")
    .option("--side-input", "write a side input, whose rows jobs look up, instead of an event")
    .option("--name <name>", "name of the event or side input (default: that of the record)")
    .option("--key <field>", "its key, also within records: customer.id")
    .option("--time <field>", "its event time; a side input has none")
    .option("--partitions <count>", "partitions of the topic, as its owner has them (default: 1)")
    .option("--omit <field>", "leave a field out (again for more)", (path: string, all: string[]) => [...all, path], [])
    .option("-o, --out <file>", "write to a new file instead of stdout")
    .option("--json", "print the fields, comments and refusals as JSON")
    .addHelpText("after", help)
    .action(async (source: string, _own: Options, command: Command) => {
      // `rdg schema` has --json too, and takes it wherever it stands.
      const options = command.optsWithGlobals<Options>();
      const [{ parseAvroSchema }, { importSchema }, { renderEvent }] = await Promise.all([
        import("../model/avro/schema-tree.ts"),
        import("../schemas/import-schema.ts"),
        import("../schemas/render-event.ts"),
      ]);
      const partitions = options.partitions === undefined ? undefined : countOf(options.partitions, "--partitions");
      const found = existsSync(source) ? fromFile(source, options) : await fromRegistry(source, options);
      const { root } = parseAvroSchema(found.schema);
      const imported = importSchema(root, options.omit);
      const { schema: _, ...where } = found;
      if (options.json === true) printJson({ ...where, ...imported });
      if (imported.refusals.length > 0) throw refused(imported.refusals, found.origin);
      if (options.json === true) return;
      const record = "name" in root ? root.name : found.origin;
      const name = options.name ?? eventNameOf(record);
      const kind = options.sideInput === true ? "sideInput" : "event";
      const { text, missing } = renderEvent(
        imported.fields,
        { ...where, record },
        { ...options, kind, name, partitions },
      );
      if (options.out === undefined) process.stdout.write(text);
      else writeNew(options.out, text);
      if (missing.length > 0) say(`rdg: no field suits as ${missing.join(" or ")}: only the fields are written`);
    });
}

function fromFile(path: string, { topic }: Options): Found {
  const name = basename(path).replace(/\.(?:avsc|json)$/, "");
  return { schema: readFileSync(path, "utf8"), origin: basename(path), topic: topic ?? name };
}

async function fromRegistry(subject: string, options: Options): Promise<Found> {
  const { subjectVersion } = options;
  const version = subjectVersion === undefined ? "latest" : countOf(subjectVersion, "--subject-version");
  const { openNamedRegistry } = await import("../compose/registry.ts");
  const registry = await openNamedRegistry(options, process.env);
  try {
    const found = await registry.version(subject, version);
    return {
      schema: found.schema,
      origin: `${found.subject}, version ${found.version}`,
      topic: options.topic ?? subject.replace(/-value$/, ""),
      subject: found.subject,
      version: found.version,
    };
  } finally {
    await registry.close();
  }
}

function countOf(text: string, place: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new RdgError("invalid", "bad_option", `${place} is not a number above zero.`, { place });
}

function refused(refusals: readonly { readonly place: string; readonly reason: string }[], origin: string): RdgError {
  const lines = refusals.map(({ place, reason }) => `\n  ${place === "" ? "the schema" : place}: ${reason}`);
  return new RdgError("invalid", "schema_refused", `The schema cannot be imported:${lines.join("")}`, {
    place: origin,
    hint: "Fields are left out with --omit.",
    details: refusals,
  });
}

/** `com.shop.OrderPlaced` -> `orderPlaced` */
function eventNameOf(record: string): string {
  const last = record.slice(record.lastIndexOf(".") + 1);
  return last.slice(0, 1).toLowerCase() + last.slice(1);
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (cause) {
    throw new RdgError("conflict", "file_exists", `The file cannot be written: ${(cause as Error).message}.`, {
      place: path,
      hint: "Name a file that does not exist yet.",
      cause,
    });
  }
  print(path);
}
