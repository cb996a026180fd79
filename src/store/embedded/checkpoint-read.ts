// Restores the newest intact checkpoint of a folder. Every page is checked before it is used: a damaged checkpoint is named and passed over, never served.
import { type FileHandle, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import { Applied } from "./applied.ts";
import { layoutOf, pageListsOf, restoreState } from "./checkpoint-parts.ts";
import { Graph } from "./graph.ts";
import { damaged, type Manifest, manifestName, numberIn, pagesName, parseManifest } from "./manifest.ts";
import type { PageList } from "./pages.ts";

const readBytes = 8 << 20;
/** Groups of pages that are being read while one is checked. */
const readsAhead = 2;

export interface Restored {
  readonly graph: Graph;
  readonly applied: Applied;
  /** Number of the newest checkpoint in the folder, whether used or not; 0 when there is none. */
  readonly newest: number;
  /** Number of the checkpoint that was used; 0 when none was. Those between it and the newest are unusable. */
  readonly used: number;
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
      return { ...(await readGraph(folder, manifest, model)), newest, used: number };
    } catch (error) {
      if (!(error instanceof RdgError) || error.code !== "checkpoint_damaged") throw error;
      notice(error);
      failure = error;
    }
  }
  if (failure !== undefined && !rebuilds) throw failure;
  return { ...empty(model), newest };
}

function empty(model: GraphModel): { graph: Graph; applied: Applied; used: 0 } {
  const graph = new Graph(model);
  graph.create();
  return { graph, applied: new Applied(), used: 0 };
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
  const stored = manifest.pages.flatMap(({ name, sizes, checksums }, list) => {
    if (lists[list]?.name !== name) throw damaged(path, `it has pages "${name}" out of order`);
    const { pages } = lists[list];
    return sizes.map((sizeBytes, page) => ({ pages, name, page, sizeBytes, checksum: checksums[page]! }));
  });
  await readPages(path, stored);
  restoreState(graph, manifest.state);
  const applied = new Applied();
  applied.restore(manifest.state.applied);
  return { graph, applied };
}

interface StoredPage {
  readonly pages: PageList;
  readonly name: string;
  readonly page: number;
  readonly sizeBytes: number;
  readonly checksum: number;
}

/** Reads ahead while it checks: both take about as long. */
async function readPages(path: string, stored: readonly StoredPage[]): Promise<void> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw damaged(path, "its file of pages cannot be opened", cause);
  });
  const reading: { readonly group: readonly StoredPage[]; readonly read: Promise<readonly Buffer[] | undefined> }[] =
    [];
  const adoptNext = async (): Promise<void> => {
    const { group, read } = reading[0]!;
    const buffers = await read;
    if (buffers === undefined) throw damaged(path, "its file of pages ends too early");
    reading.shift();
    for (const [i, { pages, name, page, checksum }] of group.entries()) {
      if (crc32(buffers[i]!) !== checksum) throw damaged(path, `page ${page} of "${name}" has another checksum`);
      pages.adopt(buffers[i]!.buffer as ArrayBuffer);
    }
  };
  try {
    let position = 0;
    for (const group of groupsOf(stored)) {
      if (reading.length === readsAhead) await adoptNext();
      const read = readGroup(file, group, position);
      // Who fails while an earlier group is checked is asked later.
      read.catch(() => undefined);
      reading.push({ group, read });
      position += group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    }
    while (reading.length > 0) await adoptNext();
  } finally {
    await Promise.allSettled(reading.map(({ read }) => read));
    await file.close();
  }
}

/** Pages that are read at once. */
function* groupsOf(stored: readonly StoredPage[]): Generator<readonly StoredPage[]> {
  let group: StoredPage[] = [];
  let bytes = 0;
  for (const page of stored) {
    group.push(page);
    bytes += page.sizeBytes;
    if (bytes < readBytes && group.length < 512) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

/** Undefined where the file ends before. The memory is not zeroed before it is filled: that would take as long as reading. */
async function readGroup(
  file: FileHandle,
  group: readonly StoredPage[],
  from: number,
): Promise<readonly Buffer[] | undefined> {
  const buffers = group.map(({ sizeBytes }) => Buffer.allocUnsafeSlow(sizeBytes));
  let position = from;
  let left = buffers.filter(({ length }) => length > 0);
  while (left.length > 0) {
    // It may read less than it was asked for.
    let { bytesRead } = await file.readv(left, position);
    if (bytesRead === 0) return undefined;
    position += bytesRead;
    left = left.flatMap((view) => {
      const taken = Math.min(bytesRead, view.length);
      bytesRead -= taken;
      return taken === view.length ? [] : [view.subarray(taken)];
    });
  }
  return buffers;
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
