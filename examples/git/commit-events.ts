// Commits as events of graph.ts. A commit of very many files becomes several events, so that none grows without bound.
import type { Commit, FileChange } from "./history-parser.ts";
import { folderOf, idOf, rootFolder } from "./paths.ts";

/** An event as it is sent: JSON of `commitEvent` in graph.ts. */
export interface CommitRecord {
  readonly id: string;
  readonly hash: string;
  readonly part: number;
  readonly email?: string;
  readonly name?: string;
  readonly at: string;
  readonly authoredAt: string;
  readonly parents: readonly string[];
  readonly subject: string;
  /** Of the whole commit. */
  readonly fileCount: number;
  readonly files: readonly FileRecord[];
  readonly folders: readonly { readonly path: string; readonly parent: string }[];
}

type FileRecord = FileChange & { readonly folder: string };

const filesPerEventMax = 500;
/** Arrays have at most 10,000 items; only folders nested absurdly deep come near. */
const foldersMax = 10_000;
const subjectLengthMax = 300;
const int32Max = 2_147_483_647;

/**
 * Makes the events of commits, which come in the order of `readCommits`. The first event of a commit has its hash as id, a further part `<hash>+<part>`.
 * `now`, in milliseconds: a commit "from the future" (a wrong clock) counts as made now.
 */
export function createEventMaker(now: () => number): (commit: Commit) => CommitRecord[] {
  let second = 0;
  let placeInSecond = 0;
  return (commit) => {
    // Git's times are seconds, and scripts make many commits in one: milliseconds keep them in order.
    placeInSecond = commit.committedSeconds === second ? Math.min(999, placeInSecond + 1) : 0;
    second = commit.committedSeconds;
    const nowMs = now();
    return eventsOf(commit, isoTime(second, placeInSecond, nowMs), isoTime(commit.authoredSeconds, 0, nowMs));
  };
}

function eventsOf(commit: Commit, at: string, authoredAt: string): CommitRecord[] {
  const events: CommitRecord[] = [];
  const parts = Math.max(1, Math.ceil(commit.files.length / filesPerEventMax));
  for (let part = 0; part < parts; part++) {
    const files = commit.files.slice(part * filesPerEventMax, (part + 1) * filesPerEventMax);
    events.push({
      id: part === 0 ? commit.hash : `${commit.hash}+${part}`,
      hash: commit.hash,
      part,
      ...authorOf(commit),
      at,
      authoredAt,
      parents: commit.parents,
      subject: cut(commit.subject),
      fileCount: commit.files.length,
      files: files.map(fileRecord),
      folders: foldersOf(files),
    });
  }
  return events;
}

function authorOf({ email, name }: Commit): { email?: string; name?: string } {
  const known = { ...(email !== "" && { email: idOf(email) }), ...(name !== "" && { name: idOf(name) }) };
  return email === "" && name === "" ? { name: "unknown" } : known;
}

function fileRecord(file: FileChange): FileRecord {
  return {
    path: idOf(file.path),
    folder: idOf(folderOf(file.path)!),
    change: file.change,
    ...(file.previousPath !== undefined && { previousPath: idOf(file.previousPath) }),
    ...(file.added !== undefined && { added: Math.min(file.added, int32Max) }),
    ...(file.deleted !== undefined && { deleted: Math.min(file.deleted, int32Max) }),
  };
}

/** Every folder on the way from the files to the root, once, with the folder it is in. */
function foldersOf(files: readonly FileChange[]): { path: string; parent: string }[] {
  const parents = new Map<string, string>();
  for (const { path } of files) {
    let folder = folderOf(path)!;
    while (folder !== rootFolder && !parents.has(folder)) {
      const parent = folderOf(folder)!;
      parents.set(folder, parent);
      folder = parent;
    }
  }
  return [...parents].slice(0, foldersMax).map(([path, parent]) => ({ path: idOf(path), parent: idOf(parent) }));
}

function isoTime(seconds: number, milliseconds: number, nowMs: number): string {
  const timeMs = Number.isFinite(seconds) ? seconds * 1000 + milliseconds : 0;
  return new Date(Math.min(nowMs, Math.max(0, timeMs))).toISOString();
}

function cut(text: string): string {
  if (text.length <= subjectLengthMax) return text;
  // Not through the middle of a surrogate pair.
  const end = text.codePointAt(subjectLengthMax - 2)! > 0xffff ? subjectLengthMax - 2 : subjectLengthMax - 1;
  return `${text.slice(0, end)}…`;
}
