// The definition that a data folder was written for, kept beside the data: the next start aligns its definition with it.
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { RdgError } from "../core/errors.ts";
import type { Graph } from "../index.ts";
import { alignModel } from "../model/align.ts";
import { definitionFormat, type GraphModel } from "../model/definition.ts";

const fileFormat = 1;

interface DefinitionFile {
  readonly format: number;
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
  const content = JSON.stringify({ format: fileFormat, model } satisfies DefinitionFile);
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
  let file: DefinitionFile;
  try {
    file = JSON.parse(text) as DefinitionFile;
  } catch (cause) {
    throw new RdgError("corrupt", "bad_definition_file", "The stored definition is no JSON.", { place: path, cause });
  }
  if (file.format === fileFormat && file.model.format === definitionFormat) return file.model;
  throw new RdgError(
    "invalid",
    "unknown_format",
    `The stored definition has format ${file.format}.${file.model?.format}.`,
    {
      place: path,
      hint: "The folder was written by another version of RDG: use that one, or another folder.",
    },
  );
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
