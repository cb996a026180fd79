// How far a history has been read, kept in a file, so that the next start goes on from there.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface Bookmark {
  readonly version: 1;
  /** Which repository it is about. */
  readonly repository: string;
  /** Commits that were HEAD when everything up to them had been stored, the latest first. */
  readonly known: readonly string[];
  /** The range being read, and how many of its commits are stored. */
  readonly reading?: { readonly head: string; readonly known: readonly string[]; readonly done: number };
}

/** A file that is missing or damaged is as good as none: an event is stored under its commit's hash, so reading it again changes nothing. */
export function loadBookmark(path: string, repository: string): Bookmark {
  const none: Bookmark = { version: 1, repository, known: [] };
  try {
    const read = JSON.parse(readFileSync(path, "utf8")) as Partial<Bookmark> | null;
    if (read?.version !== 1 || typeof read.repository !== "string" || !areHashes(read.known)) return none;
    const { reading, known } = read;
    const whole = reading !== undefined && areHashes([reading.head]) && areHashes(reading.known) && reading.done >= 0;
    return { version: 1, repository: read.repository, known, ...(whole && { reading }) };
  } catch {
    return none;
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
