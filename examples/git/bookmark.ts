// How far a history has been read, kept in a file, so that the next start goes on from there.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { GitError } from "./git.ts";

export interface Bookmark {
  readonly version: 1;
  /** Which repository it is about. */
  readonly repository: string;
  /** Commits that were HEAD when everything up to them had been stored, the latest first. */
  readonly known: readonly string[];
  /** The range being read, and how many of its commits are stored. */
  readonly reading?: { readonly head: string; readonly known: readonly string[]; readonly done: number };
}

/**
 * A file that is missing or damaged is as good as none: an event is stored under its commit's hash, so reading it again changes nothing.
 * @throws GitError when it is about another repository
 */
export function loadBookmark(path: string, repository: string): Bookmark {
  const bookmark = parse(path);
  if (bookmark === undefined) return { version: 1, repository, known: [] };
  if (bookmark.repository === repository) return bookmark;
  throw new GitError(`${path} belongs to the graph of ${bookmark.repository}. Name another folder with --data.`);
}

function parse(path: string): Bookmark | undefined {
  try {
    const read = JSON.parse(readFileSync(path, "utf8")) as Partial<Bookmark> | null;
    if (read?.version !== 1 || typeof read.repository !== "string" || !areHashes(read.known)) return undefined;
    const { repository, known, reading } = read;
    const isWhole = reading !== undefined && areHashes([reading.head, ...reading.known]) && reading.done >= 0;
    return { version: 1, repository, known, ...(isWhole && { reading }) };
  } catch {
    return undefined;
  }
}

/** Either the old file or the new one is there, never half of one. */
export function saveBookmark(path: string, bookmark: Bookmark): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(bookmark)}\n`);
  renameSync(`${path}.new`, path);
}

function areHashes(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((hash) => typeof hash === "string" && /^[0-9a-f]{40,64}$/.test(hash));
}
