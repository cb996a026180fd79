// People, commits, files and folders: what the history of a git repository says about who knows what, and what belongs together.
import { count, defineGraph, edge, event, job, node, t, when } from "rdg";

/** Commits that change more files than this (imports, reformatting, renamed folders) say nothing about which files belong together. */
const filesRelatedMax = 30;

export const commitEvent = event("commit", {
  key: "hash",
  time: "at",
  // The commit's hash: reading a history again, even years later, changes nothing.
  id: "id",
  dedupHorizon: "36500d",
  fields: {
    id: t.string(),
    hash: t.string(),
    // A commit of very many files comes in parts, see commit-events.ts.
    part: t.int32(),
    email: t.string().optional(),
    name: t.string().optional(),
    at: t.timestamp(),
    authoredAt: t.timestamp(),
    parents: t.array(t.string()),
    subject: t.string(),
    fileCount: t.int32(),
    files: t.array(
      t.record({
        path: t.string(),
        folder: t.string(),
        change: t.enum("added", "modified", "deleted", "renamed"),
        previousPath: t.string().optional(),
        // Absent for binary files and submodules.
        added: t.int32().optional(),
        deleted: t.int32().optional(),
      }),
    ),
    folders: t.array(t.record({ path: t.string(), parent: t.string() })),
  },
});

export const person = node("person", { name: t.string(), commits: t.counter() });
export const commit = node("commit", { subject: t.string(), authoredAt: t.timestamp(), files: t.int32() });
export const file = node("file", { exists: t.boolean(), commits: t.counter() });
export const folder = node("folder");

export const authored = edge("authored", person, commit);
export const parent = edge("parent", commit, commit);
export const touched = edge("touched", commit, file, {
  properties: { change: t.enum("added", "modified", "deleted", "renamed"), added: t.int32(), deleted: t.int32() },
});
/** Who knows a file best: those who changed it most often, and most of it. */
export const knows = edge("knows", person, file, { properties: { commits: t.counter(), lines: t.counter() } });
/** Files changed by the same commits, once per pair, from the smaller path: ask in both directions. */
export const coChanged = edge("co_changed", file, file, { properties: { commits: t.counter() } });
export const renamedTo = edge("renamed_to", file, file);
export const inFolder = edge("in_folder", file, folder);
export const within = edge("within", folder, folder);

export const fromCommit = job(commitEvent, { window: "200ms" }).emit((e) => {
  const author = e.email.orElse(e.name);
  const isFirstPart = e.part.equals(0);
  return [
    person.upsert(author, { name: e.name, commits: when(isFirstPart, count(1)) }),
    commit.upsert(e.hash, { subject: e.subject, authoredAt: e.authoredAt, files: e.fileCount }),
    authored.upsert(author, e.hash),
    e.parents.each((hash) => [parent.upsert(e.hash, hash)]),
    e.folders.each((f) => [folder.upsert(f.path), folder.upsert(f.parent), within.upsert(f.path, f.parent)]),
    e.files.each((f) => [
      file.upsert(f.path, { exists: f.change.equals("deleted").not(), commits: count(1) }),
      touched.upsert(e.hash, f.path, { change: f.change, added: f.added, deleted: f.deleted }),
      knows.upsert(author, f.path, { commits: count(1), lines: count(f.added.orElse(0).add(f.deleted.orElse(0))) }),
      folder.upsert(f.folder),
      inFolder.upsert(f.path, f.folder),
      file.upsert(f.previousPath, { exists: false }),
      renamedTo.upsert(f.previousPath, f.path),
    ]),
    when(e.fileCount.lte(filesRelatedMax), [
      e.files.each((a) => [
        e.files.each((b) => [when(a.path.lt(b.path), [coChanged.upsert(a.path, b.path, { commits: count(1) })])]),
      ]),
    ]),
  ];
});

// A history is asked for from its first commit on, not only for the last hundred days.
export default defineGraph("git", { jobs: [fromCommit], traversals: { since: "ever" } });
