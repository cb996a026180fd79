// `rdg export`: the whole graph as a canonical file, as GraphML, or as CSV for Neo4j; from a running RDG or a data folder.
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { type Command, Option } from "commander";
import { RdgError } from "../core/errors.ts";
import { canonicalFile } from "../export/canonical-file.ts";
import { csvFiles } from "../export/csv.ts";
import { graphmlFile } from "../export/graphml.ts";
import type { ExportEnd, ExportHeader } from "../export/port.ts";
import { readExport } from "../export/read-export.ts";
import { type SortedExport, sortExport } from "../export/sort-export.ts";
import type { GraphModel } from "../model/definition.ts";
import { addTokenOption, request, servedDefinition } from "./connection.ts";
import { writeFileWhole, writeFolderWhole } from "./export-output.ts";
import { printJson, say } from "./output.ts";
import { startProgress } from "./progress.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

interface ExportOptions extends Readonly<Record<string, unknown>> {
  readonly format: "canonical" | "graphml" | "csv";
  readonly canonical?: boolean;
  readonly out?: string;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly asOf?: string;
  readonly origin?: boolean;
  readonly temp?: string;
  readonly check?: string;
  readonly json?: boolean;
}

type Take = (model: GraphModel, pieces: AsyncIterable<Uint8Array>) => Promise<Summary>;

interface Summary {
  readonly graph: string;
  readonly fingerprint: string;
  readonly elements: number;
  readonly asOf?: string;
  readonly bytes?: number;
}

const examples = `
Example:
  $ rdg export --canonical --url http://127.0.0.1:7400 --out graph.ndjson
  $ rdg export graph.ts --data .rdg --format csv --out neo4j
  $ rdg export --check graph.ndjson`;

export function addExportCommand(program: Command): void {
  const command = program
    .command("export")
    .description("write the whole graph to a file: equal graphs give equal files")
    .argument("[graph]", "the definition, where no RDG is running (default: graph.ts in this folder)")
    .addOption(
      new Option("--format <format>", "canonical: lines of JSON; graphml; csv: a folder for neo4j-admin import")
        .choices(["canonical", "graphml", "csv"])
        .default("canonical"),
    )
    .addOption(new Option("--canonical", "as --format canonical").conflicts("format"))
    .option("-o, --out <file>", "write to this file instead of stdout; with csv, to this new folder")
    .option("--url <url>", "export the graph of the RDG that runs at this address")
    .option("--as-of <time>", "leave out what expires until then, such as 2026-11-21T12:00:00Z (default: now)")
    .option("--origin", "tell positions and time in the header: they differ where equal graphs were made differently")
    .option("--temp <folder>", "for what memory does not hold while sorting (default: where the export goes)")
    .option("--check <file>", "prove that a canonical file is whole, and write nothing")
    .option("--json", "print a summary as JSON: on stdout, or on stderr where the export goes to stdout")
    .addHelpText("after", examples);
  addTokenOption(command);
  addSettingFlags(command).action(async (file: string | undefined, options: ExportOptions) => {
    if (options.check !== undefined) return tell(await check(options.check), options, true);
    if (options.format === "csv" && options.out === undefined) {
      throw new RdgError("invalid", "bad_option", "CSV is many files.", { place: "--out", hint: "Name a new folder." });
    }
    const stop = new AbortController();
    const onSignal = (): void => stop.abort(interrupted());
    process.once("SIGINT", onSignal);
    process.once("SIGTERM", onSignal);
    try {
      const asOfMs = asOfMsOf(options.asOf);
      const take: Take = (model, pieces) => write(model, pieces, asOfMs, options, stop.signal);
      tell(await exported(file, options, take, stop.signal), options, options.out !== undefined);
    } finally {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    }
  });
}

async function exported(
  file: string | undefined,
  options: ExportOptions,
  take: Take,
  signal: AbortSignal,
): Promise<Summary> {
  if (options.url !== undefined) {
    const server = { url: options.url, tokenFile: options.tokenFile };
    const { model } = await servedDefinition(server, { signal });
    const { body } = await request(server, "/v1/export", { signal });
    return await take(model, body!);
  }
  const [{ exportStore }, { loadGraph }] = await Promise.all([
    import("../compose.ts"),
    import("../compose/graph-file.ts"),
  ]);
  const [graph, { values }] = await Promise.all([loadGraph(file), settingsOf(options)]);
  return await exportStore(graph, values, take);
}

async function write(
  model: GraphModel,
  pieces: AsyncIterable<Uint8Array>,
  asOfMs: number | undefined,
  { format, out, temp, origin }: ExportOptions,
  signal: AbortSignal,
): Promise<Summary> {
  const folder = temp ?? (out === undefined ? tmpdir() : dirname(resolve(out)));
  const reading = startProgress("elements read", undefined);
  let elements = 0;
  const onRead = (count: number): void => {
    elements += count;
    reading.add(count, 0);
  };
  let sorted: SortedExport;
  try {
    sorted = await sortExport(pieces, { model, folder, asOfMs, withEnds: format !== "canonical", onRead, signal });
  } finally {
    reading.stop();
  }
  const writing = startProgress("elements written", undefined);
  let written = 0;
  function* lines(): Generator<string> {
    for (const line of sorted.lines) {
      written++;
      writing.add(1, 0);
      yield line;
    }
  }
  const counted = { ...sorted, lines: lines() };
  try {
    const bytes =
      format === "csv"
        ? await writeFolderWhole(out!, csvFiles(counted, model), signal)
        : await writeFileWhole(
            out,
            format === "graphml" ? graphmlFile(counted, model) : canonicalFile(counted, origin === true),
            signal,
          );
    const { graph, fingerprint } = sorted.header;
    return { graph, fingerprint, elements: written, asOf: sorted.asOf, bytes };
  } finally {
    writing.stop();
    sorted.close();
  }
}

/** @throws RdgError corrupt when the file is cut or damaged */
async function check(path: string): Promise<Summary> {
  let header: ExportHeader | undefined;
  let end: ExportEnd | undefined;
  try {
    for await (const part of readExport(createReadStream(path))) {
      if (part.kind === "header") header = part.header;
      if (part.kind === "end") end = part.end;
    }
  } catch (error) {
    if (error instanceof RdgError) throw error;
    throw new RdgError("not_found", "no_file", `The file cannot be read: ${(error as Error).message}.`, {
      place: path,
    });
  }
  const { graph, fingerprint, asOf } = header!;
  const elements = [...Object.values(end!.nodes), ...Object.values(end!.edges)].reduce((sum, count) => sum + count, 0);
  return { graph, fingerprint, elements, ...(asOf === undefined ? {} : { asOf }) };
}

function tell(summary: Summary, { json }: ExportOptions, toStdout: boolean): void {
  if (json === true) {
    if (toStdout) printJson(summary);
    else say(JSON.stringify(summary));
    return;
  }
  const { graph, elements, bytes, fingerprint } = summary;
  const size = bytes === undefined ? "whole" : `${bytes} bytes`;
  say(`graph ${graph} (definition ${fingerprint.slice(0, 12)}): ${elements} nodes and edges, ${size}`);
}

function asOfMsOf(written: string | undefined): number | undefined {
  if (written === undefined) return undefined;
  const asOfMs = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(written) ? Date.parse(written) : Number.NaN;
  if (Number.isNaN(asOfMs)) {
    throw new RdgError("invalid", "bad_option", `${JSON.stringify(written.slice(0, 100))} is no time.`, {
      place: "--as-of",
      hint: "Write a time such as 2026-11-21T12:00:00Z.",
    });
  }
  return asOfMs;
}

function interrupted(): RdgError {
  return new RdgError("closed", "interrupted", "The export was interrupted.");
}
