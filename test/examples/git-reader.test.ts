// The reader of the git example against real repositories: whatever git can hold comes out as commits and events.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createEventMaker } from "../../examples/git/commit-events.ts";
import {
  type CommitRange,
  countCommits,
  GitError,
  headOf,
  openRepository,
  streamHistory,
} from "../../examples/git/git.ts";
import { type Commit, HistoryParser } from "../../examples/git/history-parser.ts";
import { readCommits } from "../../examples/git/reader.ts";
import { firstCommitSeconds, TestRepository } from "./git-repository.ts";

const repositories: TestRepository[] = [];
function repository(): TestRepository {
  const made = new TestRepository();
  repositories.push(made);
  return made;
}
afterEach(() => {
  for (const made of repositories.splice(0)) made.remove();
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function commitsOf(path: string, range: Partial<CommitRange> = {}, skip = 0): Promise<Commit[]> {
  const opened = await openRepository(path);
  const head = range.head ?? (await headOf(opened));
  return all(readCommits(opened, { known: [], ...range, head: head! }, skip));
}

describe("what changed", () => {
  test("the root commit adds its files, with the lines that git counts", async () => {
    const repo = repository();
    repo.write("src/a.ts", "1\n2\n3\n");
    repo.write("README.md", "hello");
    const root = repo.commit("first: add things");
    const [commit] = await commitsOf(repo.path);
    expect(commit).toEqual({
      hash: root,
      parents: [],
      name: "Ada",
      email: "ada@example.org",
      committedSeconds: firstCommitSeconds,
      authoredSeconds: firstCommitSeconds,
      subject: "first: add things",
      files: [
        { path: "README.md", change: "added", added: 1, deleted: 0 },
        { path: "src/a.ts", change: "added", added: 3, deleted: 0 },
      ],
    });
  });

  test("changed, renamed, deleted and binary files, changed modes", async () => {
    const repo = repository();
    repo.write("keep.txt", "a\nb\nc\nd\ne\n");
    repo.write("gone.txt", "x\n");
    repo.write("image.bin", Buffer.from([0, 1, 2, 255]));
    repo.write("run.sh", "#!/bin/sh\n");
    repo.commit("one");
    repo.git("mv", "keep.txt", "moved to.txt");
    repo.write("moved to.txt", "a\nb\nc\nd\nE\n");
    repo.git("rm", "--quiet", "gone.txt");
    repo.write("image.bin", Buffer.from([0, 9]));
    repo.git("update-index", "--chmod=+x", "run.sh");
    repo.git("config", "core.fileMode", "false");
    repo.commit("two");
    const [, commit] = await commitsOf(repo.path);
    expect(commit!.files).toEqual([
      { path: "gone.txt", change: "deleted", added: 0, deleted: 1 },
      { path: "image.bin", change: "modified" },
      { path: "moved to.txt", change: "renamed", previousPath: "keep.txt", added: 1, deleted: 1 },
      { path: "run.sh", change: "modified", added: 0, deleted: 0 },
    ]);
  });

  test("a merge has parents and no files; what it merges comes before it", async () => {
    const repo = repository();
    repo.write("a", "1\n");
    const root = repo.commit("root");
    repo.git("checkout", "--quiet", "-b", "side");
    repo.write("b", "1\n");
    const side = repo.commit("side");
    repo.git("checkout", "--quiet", "main");
    repo.write("c", "1\n");
    const main = repo.commit("main");
    const merge = repo.merge("side");
    const commits = await commitsOf(repo.path);
    expect(commits.map(({ hash }) => hash)).toEqual([root, side, main, merge]);
    expect(commits[3]).toMatchObject({ parents: [main, side], files: [], subject: "merge side" });
  });

  test("a submodule is a path without lines", async () => {
    const repo = repository();
    repo.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},vendor/lib`);
    repo.git("commit", "--quiet", "-m", "x");
    const [commit] = await commitsOf(repo.path);
    expect(commit!.files).toEqual([{ path: "vendor/lib", change: "added" }]);
  });
});

describe("odd names and texts", () => {
  test("paths with blanks, tabs, newlines, quotes, colons and non-ASCII letters are themselves", async () => {
    const repo = repository();
    const names = [
      " leading",
      "tab\there",
      "line\nbreak",
      ":100644 x",
      "1\t2\tthree",
      "naïve/日本/😀.md",
      "__proto__",
      'a"b',
      "\nx",
    ];
    for (const name of names) repo.write(name, "1\n");
    repo.commit("odd");
    repo.git("mv", "tab\there", "\tmoved\n");
    repo.commit("moved");
    const [odd, moved] = await commitsOf(repo.path);
    expect(new Set(odd!.files.map(({ path }) => path))).toEqual(new Set(names));
    expect(odd!.files.every(({ added, deleted }) => added === 1 && deleted === 0)).toBe(true);
    expect(moved!.files).toEqual([
      { path: "\tmoved\n", change: "renamed", previousPath: "tab\there", added: 0, deleted: 0 },
    ]);
  });

  test("names that are no UTF-8 are quoted as git quotes them, one by one, and stay apart", async () => {
    const repo = repository();
    repo.write("d/x", "1\n");
    repo.write(Buffer.from([0x64, 0x2f, 0x63, 0xe9]), "1\n");
    repo.write(Buffer.from([0x64, 0x2f, 0x63, 0xe8]), "1\n");
    repo.write('"c\\351"', "1\n");
    repo.commit("latin");
    const [commit] = await commitsOf(repo.path);
    const paths = commit!.files.map(({ path }) => path);
    expect(paths.toSorted()).toEqual(['"\\"c\\\\351\\""', 'd/"c\\350"', 'd/"c\\351"', "d/x"]);
  });

  test("people and subjects: empty, long, in other encodings; .mailmap joins addresses", async () => {
    const repo = repository();
    repo.write(".mailmap", "Ada Lovelace <ada@example.org> <old@example.org>\n");
    repo.commit("", { name: "A", email: "old@example.org" });
    repo.git("config", "i18n.commitEncoding", "ISO-8859-1");
    repo.commit(Buffer.from("café", "latin1"), { name: "B" });
    repo.git("config", "--unset", "i18n.commitEncoding");
    repo.commit("é".repeat(70_000), { email: "" });
    const commits = await commitsOf(repo.path);
    expect(commits[0]).toMatchObject({ name: "Ada Lovelace", email: "ada@example.org", subject: "" });
    expect(commits.find(({ name }) => name === "B")).toMatchObject({ subject: "café" });
    const long = commits.find(({ email }) => email === "")!;
    const [event] = createEventMaker(() => Date.now())(long);
    expect(event!.subject).toBe(`${"é".repeat(299)}…`);
    expect(event).not.toHaveProperty("email");
    expect(event!.name).toBe("Ada");
  });
});

describe("which commits", () => {
  test("only those since a known one; the same order every time, so that a number says where to go on", async () => {
    const repo = repository();
    const hashes: string[] = [];
    for (let i = 0; i < 6; i++) {
      repo.write(`f${i % 3}`, `${i}\n`);
      hashes.push(repo.commit(`c${i}`));
    }
    const subjects = async (range: Partial<CommitRange>, skip: number): Promise<string[]> =>
      (await commitsOf(repo.path, range, skip)).map(({ subject }) => subject);
    expect(await subjects({}, 0)).toEqual(hashes.map((_, i) => `c${i}`));
    expect(await subjects({ known: [hashes[2]!] }, 0)).toEqual(["c3", "c4", "c5"]);
    expect(await subjects({}, 4)).toEqual(["c4", "c5"]);
    expect(await subjects({}, 6)).toEqual([]);
    expect(await subjects({ head: hashes[1]! }, 1)).toEqual(["c1"]);
    expect(await countCommits(await openRepository(repo.path), { head: repo.head(), known: [hashes[2]!] })).toBe(3);
  });

  test("a shallow clone: its boundary commit has no files, for what it changed is unknown", async () => {
    const repo = repository();
    for (let i = 0; i < 5; i++) {
      repo.write(`f${i}`, `${i}\n`);
      repo.commit(`c${i}`);
    }
    const clone = mkdtempSync(join(tmpdir(), "rdg-git-shallow-"));
    try {
      repo.git("clone", "--quiet", "--depth=2", `file://${repo.path}`, clone);
      const commits = await commitsOf(clone);
      expect(commits.map(({ subject, files }) => [subject, files.length])).toEqual([
        ["c3", 0],
        ["c4", 1],
      ]);
    } finally {
      rmSync(clone, { recursive: true, force: true });
    }
  });

  test("a bare repository and a folder inside of a work tree are read too", async () => {
    const repo = repository();
    repo.write("src/a", "1\n");
    repo.commit("only");
    const bare = mkdtempSync(join(tmpdir(), "rdg-git-bare-"));
    try {
      repo.git("clone", "--quiet", "--bare", repo.path, bare);
      expect(await commitsOf(bare)).toHaveLength(1);
      expect((await commitsOf(join(repo.path, "src")))[0]!.files).toMatchObject([{ path: "src/a" }]);
    } finally {
      rmSync(bare, { recursive: true, force: true });
    }
  });

  test("a clone that fetches contents on demand: paths without lines, and nothing is fetched", async () => {
    const repo = repository();
    repo.write("a", "1\n2\n");
    repo.commit("one");
    repo.git("mv", "a", "b");
    repo.commit("two");
    repo.git("config", "uploadpack.allowFilter", "true");
    const clone = mkdtempSync(join(tmpdir(), "rdg-git-partial-"));
    try {
      repo.git("clone", "--quiet", "--bare", "--filter=blob:none", `file://${repo.path}`, clone);
      repo.git("-C", clone, "remote", "set-url", "origin", "file:///nonexistent");
      expect((await commitsOf(clone)).map(({ files }) => files)).toEqual([
        [{ path: "a", change: "added" }],
        [
          { path: "a", change: "deleted" },
          { path: "b", change: "added" },
        ],
      ]);
    } finally {
      rmSync(clone, { recursive: true, force: true });
    }
  });

  test("the repository that was named is read, also from inside of another one's hook", async () => {
    const [named, other] = [repository(), repository()];
    named.commit("named");
    other.commit("other");
    process.env["GIT_DIR"] = join(other.path, ".git");
    try {
      expect((await commitsOf(named.path)).map(({ subject }) => subject)).toEqual(["named"]);
    } finally {
      delete process.env["GIT_DIR"];
    }
  });

  test("a reader that stops early leaves nothing running", async () => {
    const repo = repository();
    for (let i = 0; i < 8; i++) {
      repo.write("f", `${i}\n`.repeat(20_000));
      repo.commit(`c${i}`);
    }
    const opened = await openRepository(repo.path);
    for await (const commit of readCommits(opened, { head: repo.head(), known: [] })) {
      expect(commit.subject).toBe("c0");
      break;
    }
  });
});

test("a reader that is told to stop ends without an error, and without half a commit", async () => {
  const repo = repository();
  for (let i = 0; i < 4; i++) {
    repo.write("f", `${i}\n`.repeat(20_000));
    repo.commit(`c${i}`);
  }
  const stop = new AbortController();
  const opened = await openRepository(repo.path);
  const range = { head: repo.head(), known: [] };
  let read = 0;
  for await (const commit of readCommits(opened, range, 0, stop.signal)) {
    expect(commit).toMatchObject({ subject: `c${read++}`, files: [{ path: "f" }] });
    stop.abort();
  }
  expect(read).toBeGreaterThan(0);
  expect(await all(readCommits(opened, range, 0, stop.signal))).toEqual([]);
});

describe("what cannot be read", () => {
  test("no folder, no repository, no commit, no git: each says so", async () => {
    const empty = mkdtempSync(join(tmpdir(), "rdg-git-none-"));
    const path = process.env["PATH"];
    try {
      await expect(openRepository(join(empty, "nope"))).rejects.toThrow(/There is no folder .*nope/);
      await expect(openRepository(empty)).rejects.toThrow(/not a git repository/);
      const unborn = await openRepository(repository().path);
      expect(await headOf(unborn)).toBeUndefined();
      process.env["PATH"] = empty;
      await expect(openRepository(empty)).rejects.toThrow(/git is not installed/);
    } finally {
      process.env["PATH"] = path;
      rmSync(empty, { recursive: true, force: true });
    }
  });

  test("a history with damage in it fails instead of ending early", async () => {
    const repo = repository();
    repo.write("a", "1\n");
    repo.commit("one");
    repo.write("b", "2\n");
    repo.commit("two");
    const tree = repo.git("rev-parse", "HEAD~1^{tree}").trim();
    rmSync(join(repo.path, ".git/objects", tree.slice(0, 2), tree.slice(2)));
    await expect(commitsOf(repo.path)).rejects.toThrow(GitError);
    await expect(commitsOf(repo.path, { head: "f".repeat(40) })).rejects.toThrow(/git rev-list/);
  });
});

test("the output may be cut into chunks anywhere", async () => {
  const repo = repository();
  repo.write("a/b", "1\n2\n");
  repo.write("gone\n", "1\n");
  repo.commit("one");
  repo.git("mv", "a/b", "a/c");
  repo.git("rm", "--quiet", "gone\n");
  repo.commit("two");
  const opened = await openRepository(repo.path);
  const output = Buffer.concat(await all(streamHistory(opened, { head: repo.head(), known: [] }, 0)));
  const parse = (chunkLength: number): Commit[] => {
    const parser = new HistoryParser();
    const commits: Commit[] = [];
    for (let start = 0; start < output.length; start += chunkLength) {
      commits.push(...parser.push(output.subarray(start, start + chunkLength)));
    }
    return [...commits, parser.end()!];
  };
  const whole = parse(output.length);
  expect(whole.map(({ files }) => files.length)).toEqual([2, 2]);
  for (const chunkLength of [1, 2, 3, 7, 64]) expect(parse(chunkLength)).toEqual(whole);
});

describe("events", () => {
  const base: Commit = {
    hash: "a".repeat(40),
    parents: [],
    name: "Ada",
    email: "ada@example.org",
    committedSeconds: firstCommitSeconds,
    authoredSeconds: firstCommitSeconds - 5,
    subject: "s",
    files: [],
  };
  const events = (...commits: Commit[]) => commits.flatMap(createEventMaker(() => 1_700_000_000_000));

  test("a commit has the folders of its files, up to the root, once each", () => {
    const files = ["a/b/c/x", "a/b/y", "z"].map((path) => ({ path, change: "added" as const }));
    const [event] = events({ ...base, files });
    expect(event!.files.map(({ folder }) => folder)).toEqual(["a/b/c", "a/b", "."]);
    expect(event!.folders).toEqual([
      { path: "a/b/c", parent: "a/b" },
      { path: "a/b", parent: "a" },
      { path: "a", parent: "." },
    ]);
  });

  test("commits of one second keep their order; times that cannot be are bounded", () => {
    const at = (...seconds: number[]) =>
      events(...seconds.map((s) => ({ ...base, committedSeconds: s }))).map((e) => e.at);
    expect(at(5, 5, 5, 6)).toEqual(
      ["00:05.000", "00:05.001", "00:05.002", "00:06.000"].map((t) => `1970-01-01T00:${t}Z`),
    );
    expect(at(-1, Number.NaN, 1e30)).toEqual([
      "1970-01-01T00:00:00.000Z",
      "1970-01-01T00:00:00.000Z",
      "2023-11-14T22:13:20.000Z",
    ]);
  });

  test("a commit of very many files comes in parts with ids of their own", () => {
    const files = Array.from({ length: 1100 }, (_, i) => ({ path: `f${i}`, change: "added" as const }));
    const parts = events({ ...base, files });
    expect(parts.map(({ id, part, files }) => [id, part, files.length])).toEqual([
      [base.hash, 0, 500],
      [`${base.hash}+1`, 1, 500],
      [`${base.hash}+2`, 2, 100],
    ]);
    expect(parts.every(({ fileCount }) => fileCount === 1100)).toBe(true);
  });

  test("a path longer than an id may be is shortened, and differs from another one", () => {
    const long = `${"ü".repeat(600)}/`;
    const files = ["a", "b"].map((name) => ({ path: long + name, change: "added" as const }));
    const [event] = events({ ...base, files });
    const [a, b] = event!.files.map(({ path }) => path);
    expect(a).not.toBe(b);
    expect(Buffer.byteLength(a!)).toBeLessThanOrEqual(1024);
    expect(a!.isWellFormed()).toBe(true);
    expect(event!.files[0]!.folder).toBe(event!.folders[0]!.path);
  });
});
