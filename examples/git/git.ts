// Runs git on one repository: what there is to read, and a stream of its commits. Only plumbing commands, which no user's configuration bends.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Readable, Transform, type Writable } from "node:stream";
import { formatFields } from "./history-parser.ts";

/** Something that the person at the terminal can put right: printed without a stack. */
export class GitError extends Error {
  override readonly name = "GitError";
}

export interface Repository {
  /** As it was named, with links resolved. */
  readonly path: string;
  /** Commits whose parents this clone does not have: git shows their whole tree as added. */
  readonly shallow: ReadonlySet<string>;
  /** File contents are fetched on demand: lines are not counted, because each count would be a download. */
  readonly partial: boolean;
}

/** @throws GitError when git is missing or `path` is no repository */
export async function openRepository(path: string): Promise<Repository> {
  if (!existsSync(path)) throw new GitError(`There is no folder ${path}. Name a git repository with --repo PATH.`);
  const real = realpathSync(path);
  const gitFolder = resolve(real, await firstLine(real, ["rev-parse", "--git-dir"]));
  const common = resolve(real, await firstLine(real, ["rev-parse", "--git-common-dir"]).catch(() => gitFolder));
  const shallow = await readFile(resolve(common, "shallow"), "latin1").catch(() => "");
  const partial = await firstLine(real, ["config", "--get-regexp", "^remote\\..*\\.promisor$"]).catch(() => "");
  return { path: real, shallow: new Set(shallow.split("\n").filter((line) => line !== "")), partial: partial !== "" };
}

/** The hash of HEAD's commit; undefined as long as there is none. */
export async function headOf(repository: Repository): Promise<string | undefined> {
  return firstLine(repository.path, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).catch(() => undefined);
}

export async function hasCommit(repository: Repository, hash: string): Promise<boolean> {
  return firstLine(repository.path, ["cat-file", "-e", `${hash}^{commit}`]).then(
    () => true,
    () => false,
  );
}

/** The commits reachable from `head` and from none of `known`. */
export interface CommitRange {
  readonly head: string;
  readonly known: readonly string[];
}

const rangeArguments = ({ head, known }: CommitRange): string[] => [head, ...known.map((hash) => `^${hash}`)];

export async function countCommits(repository: Repository, range: CommitRange, stop?: AbortSignal): Promise<number> {
  return Number(await firstLine(repository.path, ["rev-list", "--count", ...rangeArguments(range)], stop));
}

/**
 * What HistoryParser reads, of the commits of a range, by time and parents before children, the first `skip` left out. The order is the same whenever the
 * same range is asked for; `stop` ends it early.
 * Bounded memory here; git itself holds the list of commits.
 */
export async function* streamHistory(
  repository: Repository,
  range: CommitRange,
  skip: number,
  stop?: AbortSignal,
): AsyncGenerator<Buffer> {
  const isStopped = (): boolean => stop?.aborted === true;
  if (isStopped()) return;
  const list = start(repository.path, ["rev-list", "--date-order", "--reverse", ...rangeArguments(range)]);
  const changes = repository.partial ? "--raw --no-renames" : "--raw --numstat --find-renames";
  const form = `--stdin --always --root -r -z --no-abbrev --no-ext-diff --no-textconv --encoding=UTF-8 --format=${formatFields}`;
  const details = start(repository.path, ["diff-tree", ...changes.split(" "), ...form.split(" ")]);
  list.child.stdin.end();
  // A reader that stops early kills both; what they then fail to write is nobody's loss.
  for (const stream of [list.child.stdout, details.child.stdin]) stream.on("error", () => undefined);
  list.child.stdout.pipe(skipLines(skip)).pipe(details.child.stdin);
  const end = (): void => {
    list.child.kill();
    details.child.kill();
  };
  stop?.addEventListener("abort", end, { once: true });
  try {
    yield* details.child.stdout as AsyncIterable<Buffer>;
    if (isStopped()) return;
    // In this order: when details fail, nobody reads the list any more.
    await details.succeeded;
    await list.succeeded;
  } finally {
    stop?.removeEventListener("abort", end);
    end();
  }
}

function skipLines(lines: number): Transform {
  let left = lines;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let start = 0;
      for (; left > 0 && start < chunk.length; left--) {
        const end = chunk.indexOf(10, start);
        if (end < 0) return done();
        start = end + 1;
      }
      done(null, chunk.subarray(start));
    },
  });
}

interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Rejects with a GitError that says what git said. */
  readonly succeeded: Promise<void>;
}

const messageBytesMax = 2000;

function start(path: string, args: readonly string[], signal?: AbortSignal): Running {
  const options = { env: environment(), ...(signal && { signal }) };
  const child = spawn("git", ["-C", path, ...args], { ...options, stdio: ["pipe", "pipe", "pipe"] });
  let message = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (message.length < messageBytesMax) message += chunk.toString();
  });
  const succeeded = once(child, "close").then(
    ([code, signal]) => {
      if (code === 0) return;
      const said = message.trim().replace(/^fatal: /, "") || `it ended with ${String(signal ?? code)}`;
      throw new GitError(`git ${args[0]} in ${path}: ${said}`);
    },
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      throw new GitError("git is not installed, or not on the PATH. Get it from https://git-scm.com.");
    },
  );
  // Whoever awaits it sees the failure; until then it is not an unhandled one.
  succeeded.catch(() => undefined);
  return { child, succeeded };
}

async function firstLine(path: string, args: readonly string[], stop?: AbortSignal): Promise<string> {
  const { child, succeeded } = start(path, args, stop);
  child.stdin.on("error", () => undefined).end();
  let text = "";
  for await (const chunk of child.stdout) text += String(chunk);
  await succeeded;
  return text.split("\n", 1)[0]!;
}

/** Set inside of git hooks, where they would point us at another repository than the one that was named. */
const pointers = new Set(["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"]);

/** Ours, without locks, prompts and downloads. */
function environment(): NodeJS.ProcessEnv {
  const rest = Object.entries(process.env).filter(([name]) => !pointers.has(name));
  const quiet = { LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0", GIT_NO_LAZY_FETCH: "1" };
  return { ...Object.fromEntries(rest), ...quiet };
}
