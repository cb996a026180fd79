// Restores the newest intact checkpoint of a folder. Every page is checked before it is used: a damaged checkpoint is named and passed over, never served.
import { mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import { Applied } from "./applied.ts";
import { layoutOf, pageListsOf, restoreState } from "./checkpoint-parts.ts";
import { Graph } from "./graph.ts";
import { damaged, type Manifest, manifestName, numberIn, pagesName, parseManifest } from "./manifest.ts";

const readBytes = 8 << 20;

export interface Restored {
  readonly graph: Graph;
  readonly applied: Applied;
  /** Number of the newest checkpoint in the folder, whether used or not; 0 when there is none. */
  readonly newest: number;
  /** Whether the folder had a checkpoint of this graph. */
  readonly found: boolean;
}

/**
 * The graph of the newest intact checkpoint, or an empty one. `notice` is told of what had to be passed over.
 * @param rebuilds whether a graph without an intact checkpoint begins empty
 * @throws RdgError corrupt: `checkpoint_damaged` when there are checkpoints, none is intact and it does not, `checkpoint_format_unknown`
 */
export async function restore(
  folder: string,
  model: GraphModel,
  notice: (error: RdgError) => void,
  rebuilds: boolean,
): Promise<Restored> {
  await mkdir(folder, { recursive: true });
  const numbers = await completeCheckpoints(folder);
  const newest = numbers[0] ?? 0;
  let failure: RdgError | undefined;
  for (const number of numbers) {
    try {
      const manifest = await readManifest(folder, number);
      if (manifest.layout !== layoutOf(model)) {
        notice(otherLayout(join(folder, manifestName(number))));
        return { ...empty(model), newest };
      }
      return { ...(await readGraph(folder, manifest, model)), newest, found: true };
    } catch (error) {
      if (!(error instanceof RdgError) || error.code !== "checkpoint_damaged") throw error;
      notice(error);
      failure = error;
    }
  }
  if (failure !== undefined && !rebuilds) throw failure;
  return { ...empty(model), newest };
}

function empty(model: GraphModel): { graph: Graph; applied: Applied; found: false } {
  const graph = new Graph(model);
  graph.create();
  return { graph, applied: new Applied(), found: false };
}

/** Numbers of checkpoints that have a manifest, newest first. Files of unfinished ones are deleted. */
async function completeCheckpoints(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  const complete = new Set(names.filter((name) => name.endsWith(".json")).flatMap((name) => numberIn(name) ?? []));
  for (const name of names) {
    const number = numberIn(name);
    if (number !== undefined && (name.endsWith(".new") || !complete.has(number))) await unlink(join(folder, name));
  }
  return [...complete].sort((a, b) => b - a);
}

async function readManifest(folder: string, number: number): Promise<Manifest> {
  const path = join(folder, manifestName(number));
  return parseManifest(await readFile(path, "utf8"), path);
}

async function readGraph(
  folder: string,
  manifest: Manifest,
  model: GraphModel,
): Promise<{ graph: Graph; applied: Applied }> {
  const graph = new Graph(model);
  const path = join(folder, pagesName(manifest.number));
  const lists = pageListsOf(graph);
  const wanted = manifest.pages.flatMap(({ name, sizes, checksums }, list) => {
    if (lists[list]?.name !== name) throw damaged(path, `it has pages "${name}" out of order`);
    return sizes.map((size, page) => ({ buffer: new ArrayBuffer(size), checksum: checksums[page]!, list, name, page }));
  });
  await readPages(path, wanted);
  for (const { buffer, list } of wanted) lists[list]!.pages.adopt(buffer);
  restoreState(graph, manifest.state);
  const applied = new Applied();
  applied.restore(manifest.state.applied);
  return { graph, applied };
}

interface WantedPage {
  readonly buffer: ArrayBuffer;
  readonly checksum: number;
  readonly name: string;
  readonly page: number;
}

async function readPages(path: string, pages: readonly WantedPage[]): Promise<void> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw damaged(path, "its file of pages cannot be opened", cause);
  });
  try {
    for (let start = 0; start < pages.length;) {
      let end = start;
      for (let bytes = 0; end < pages.length && bytes < readBytes && end - start < 512; end++) {
        bytes += pages[end]!.buffer.byteLength;
      }
      const group = pages.slice(start, end).filter(({ buffer }) => buffer.byteLength > 0);
      let left = group.map(({ buffer }) => new Uint8Array(buffer));
      while (left.length > 0) {
        let { bytesRead } = await file.readv(left);
        if (bytesRead === 0) throw damaged(path, "its file of pages ends too early");
        left = left.flatMap((view) => {
          const taken = Math.min(bytesRead, view.length);
          bytesRead -= taken;
          return taken === view.length ? [] : [view.subarray(taken)];
        });
      }
      for (const { buffer, checksum, name, page } of group) {
        if (crc32(new Uint8Array(buffer)) !== checksum)
          throw damaged(path, `page ${page} of "${name}" has another checksum`);
      }
      start = end;
    }
  } finally {
    await file.close();
  }
}

function otherLayout(path: string): RdgError {
  return new RdgError(
    "conflict",
    "checkpoint_of_other_layout",
    "The store's checkpoint was written for another definition of the graph.",
    {
      place: path,
      hint: "It is not used; the graph is rebuilt from the log.",
    },
  );
}
