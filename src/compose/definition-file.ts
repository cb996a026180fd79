// The definition that a data folder was written for, kept beside the data: the next start aligns its definition with it.
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { RdgError } from "../core/errors.ts";
import type { Graph } from "../index.ts";
import { alignModel } from "../model/align.ts";
import { definitionFormat, type GraphModel } from "../model/definition.ts";

/** 2: with a checksum. A name that changed on the disk would be taken for another type, and every update for one of its own. */
const fileFormat = 2;

interface DefinitionFile {
  readonly format: number;
  /** crc32 of the model's JSON, in hex. */
  readonly checksum: string;
  readonly model: GraphModel;
}

/**
 * The graph with its types in the order of the data in `folder`; the file is written when anything was added.
 * Call it only while the folder is locked.
 * @throws RdgError conflict, `definition_changed`; corrupt; invalid, `unknown_format`
 */
export async function alignWithFolder(graph: Graph, folder: string): Promise<Graph> {
  const path = join(folder, "definition.json");
  const stored = await readStored(path);
  if (stored !== undefined && stored.name !== graph.model.name) {
    throw new RdgError(
      "conflict",
      "other_graph",
      `The folder holds the graph "${stored.name}", not "${graph.model.name}".`,
      {
        place: folder,
        hint: "Take another data folder for this graph (--data).",
      },
    );
  }
  const model = stored === undefined ? graph.model : alignModel(stored, graph.model);
  const content = JSON.stringify({ format: fileFormat, checksum: checksumOf(model), model } satisfies DefinitionFile);
  if (stored === undefined || JSON.stringify(stored) !== JSON.stringify(model))
    await writeDurably(folder, path, content);
  return { ...graph, model };
}

async function readStored(path: string): Promise<GraphModel | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  let file: Partial<DefinitionFile> | null;
  try {
    file = JSON.parse(text) as Partial<DefinitionFile> | null;
  } catch (cause) {
    throw damaged(path, cause);
  }
  if (typeof file?.format !== "number" || typeof file.model !== "object" || file.model === null) throw damaged(path);
  const { format, model } = file;
  if (format === fileFormat) {
    if (file.checksum !== checksumOf(model)) throw damaged(path);
    if (model.format === definitionFormat) return model;
  }
  const message = `The stored definition has format ${format}.${model.format}; this version reads format ${fileFormat}.${definitionFormat}.`;
  throw new RdgError("invalid", "unknown_format", message, {
    place: path,
    hint: "The folder was written by another version of RDG: use that one, or another folder.",
  });
}

function checksumOf(model: GraphModel): string {
  return crc32(JSON.stringify(model)).toString(16).padStart(8, "0");
}

function damaged(path: string, cause?: unknown): RdgError {
  return new RdgError("corrupt", "bad_definition_file", "The stored definition is damaged.", {
    place: path,
    hint: "Restore the file from a copy of the folder: it says which types the stored updates are of.",
    cause,
  });
}

async function writeDurably(folder: string, path: string, content: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = await open(`${path}.tmp`, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
