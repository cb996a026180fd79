// The history of a git repository as events, oldest first.
import { type CommitRange, type Repository, streamHistory } from "./git.ts";
import { type Commit, HistoryParser } from "./history-parser.ts";

/** The commits of a range, the first `skip` left out. The boundary of a shallow clone comes without files: its parents, so its changes, are unknown. */
export async function* readCommits(
  repository: Repository,
  range: CommitRange,
  skip = 0,
  stop?: AbortSignal,
): AsyncGenerator<Commit> {
  const parser = new HistoryParser();
  for await (const chunk of streamHistory(repository, range, skip, stop)) {
    for (const commit of parser.push(chunk)) yield withoutUnknown(commit, repository);
  }
  // The last commit may be half of one.
  if (stop?.aborted === true) return;
  const last = parser.end();
  if (last !== undefined) yield withoutUnknown(last, repository);
}

function withoutUnknown(commit: Commit, { shallow }: Repository): Commit {
  return shallow.has(commit.hash) ? { ...commit, files: [] } : commit;
}
