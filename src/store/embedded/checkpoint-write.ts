// Writes checkpoints in the background: captures all pages at one moment, then writes them while frames go on being applied to copies.
//
// Order: pages, fsync; manifest under another name, fsync, rename, fsync of the folder; then checkpoints older than the one before are deleted. A crash at any
// moment leaves the previous or the new checkpoint, and at worst a file of pages that the next opening deletes.
import { open, readdir, rename, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Turns } from "../../core/turns.ts";
import type { Applied } from "./applied.ts";
import { layoutOf, type GraphState, pageListsOf, stateOf } from "./checkpoint-parts.ts";
import type { Graph } from "./graph.ts";
import { formatManifest, type Manifest, manifestName, numberIn, pagesName, type PageTable } from "./manifest.ts";
import type { PageList } from "./pages.ts";
import type { RetiredNodes } from "./retired-nodes.ts";

/** Bytes per write, and so per checksum in one turn: about a quarter of a millisecond, for queries to come between. */
const writeBytes = 1 << 20;
const keptCheckpoints = 2;

interface CapturedPage {
  readonly list: PageList;
  readonly page: number;
  readonly buffer: ArrayBuffer;
}

/** All pages at one moment. Each must be released, or changing the graph goes on copying. */
export interface Capture {
  readonly lists: readonly { readonly name: string; readonly pages: readonly CapturedPage[] }[];
  readonly layout: string;
  readonly state: GraphState;
}

/** To be called while no frame is half applied. */
export function capture(graph: Graph, applied: Applied, retired: RetiredNodes): Capture {
  const lists = pageListsOf(graph).map(({ name, pages }) => ({
    name,
    pages: pages.capture().map((buffer, page) => ({ list: pages, page, buffer })),
  }));
  graph.epoch.begin();
  return { lists, layout: layoutOf(graph.model), state: stateOf(graph, applied.state(), retired.waiting()) };
}

/** Writes the captured pages as checkpoint `number`; `onProgress` is called whenever pages were released. */
export async function writeCheckpoint(
  folder: string,
  number: number,
  captured: Capture,
  turns: Turns,
  onProgress: () => void,
): Promise<void> {
  const waiting = captured.lists.flatMap(({ pages }) => pages);
  let released = 0;
  const release = (until: number): void => {
    for (; released < until; released++) {
      const { list, page, buffer } = waiting[released]!;
      list.release(page, buffer);
    }
    onProgress();
  };
  const path = join(folder, pagesName(number));
  try {
    const file = await open(path, "wx");
    let checksums: Uint32Array;
    try {
      checksums = await writePages(file, waiting, release, turns);
      await file.datasync();
    } finally {
      await file.close();
    }
    await writeManifest(folder, manifestOf(number, captured, checksums));
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw error;
  } finally {
    release(waiting.length);
  }
}

async function writePages(
  file: FileHandle,
  pages: readonly CapturedPage[],
  release: (until: number) => void,
  turns: Turns,
): Promise<Uint32Array> {
  const checksums = new Uint32Array(pages.length);
  for (let start = 0; start < pages.length;) {
    const group: Uint8Array[] = [];
    let end = start;
    for (let bytes = 0; end < pages.length && bytes < writeBytes && group.length < 512; end++) {
      const view = new Uint8Array(pages[end]!.buffer);
      checksums[end] = crc32(view);
      bytes += view.length;
      if (view.length > 0) group.push(view);
    }
    if (group.length > 0) await writeAll(file, group);
    else await turns.next();
    release(end);
    start = end;
  }
  return checksums;
}

/** `writev` may write less than it was given. */
async function writeAll(file: FileHandle, views: readonly Uint8Array[]): Promise<void> {
  let left = views;
  while (left.length > 0) {
    let { bytesWritten } = await file.writev(left);
    const rest: Uint8Array[] = [];
    for (const view of left) {
      if (bytesWritten < view.length) rest.push(view.subarray(bytesWritten));
      bytesWritten = Math.max(0, bytesWritten - view.length);
    }
    left = rest;
  }
}

function manifestOf(number: number, { lists, layout, state }: Capture, checksums: Uint32Array): Manifest {
  let page = 0;
  const pages = lists.map(({ name, pages: captured }): PageTable => {
    const first = page;
    page += captured.length;
    return {
      name,
      sizes: captured.map(({ buffer }) => buffer.byteLength),
      checksums: [...checksums.subarray(first, page)],
    };
  });
  return { number, layout, pages, state };
}

async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, manifestName(manifest.number));
  const file = await open(`${path}.new`, "w");
  try {
    await file.writeFile(formatManifest(manifest));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Deletes all but the newest usable checkpoints, once there are enough of them. Manifests go first: without one, pages are nothing. */
export async function deleteOlder(folder: string, isUsable: (number: number) => boolean): Promise<void> {
  const names = (await readdir(folder)).sort();
  const complete = names.flatMap((name) => (name.endsWith(".json") ? (numberIn(name) ?? []) : []));
  const kept = complete.filter(isUsable).slice(-keptCheckpoints);
  if (kept.length < keptCheckpoints) return;
  for (const name of names) {
    const number = numberIn(name);
    if (number !== undefined && !kept.includes(number)) await unlink(join(folder, name));
  }
}
