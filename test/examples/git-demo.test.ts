// The demo as a user starts it, from a repository to answers: what the graph says is what git says, also after a restart, a lost bookmark and new commits.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RdgConnection } from "../../examples/send.ts";
import { TestRepository } from "./git-repository.ts";

const root = join(import.meta.dirname, "../..");
const people = ["ada@example.org", "bob@example.org", "çelik@example.org"];

let repository: TestRepository;
let data: string;

beforeAll(() => {
  repository = new TestRepository();
  data = mkdtempSync(join(tmpdir(), "rdg-demo-"));
  const files = ["README.md", "src/a.ts", "src/b.ts", "src/deep/er/c.ts", "odd name ü.txt"];
  for (let i = 0; i < 30; i++) {
    for (const [at, file] of files.entries())
      if ((i + at) % (at + 2) === 0) repository.write(file, `${i}\n`.repeat(1 + (i % 4)));
    // Three commits a second: more than git's times tell apart.
    const email = people[(i * i) % people.length]!;
    repository.commit(`change ${i}`, { name: email.split("@")[0]!, email, at: 1_600_000_000 + Math.floor(i / 3) });
  }
  repository.git("checkout", "--quiet", "-b", "side", "HEAD~5");
  repository.write("src/side.ts", "1\n2\n");
  repository.commit("side", { email: people[1]! });
  repository.git("checkout", "--quiet", "main");
  repository.merge("side");
  repository.git("mv", "src/b.ts", "src/moved.ts");
  repository.git("rm", "--quiet", "src/a.ts");
  repository.commit("moved and removed", { email: people[0]! });
});
afterAll(() => {
  repository.remove();
  rmSync(data, { recursive: true, force: true });
});

class DemoProcess {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  messages = "";

  constructor(...args: string[]) {
    const fixed = ["--conditions=rdg-source", "examples/git/demo.ts", "--data", data, "--port", "0", "--json"];
    this.#child = spawn(process.execPath, [...fixed, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stderr.setEncoding("utf8").on("data", (part: string) => (this.messages += part));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line of stdout, as JSON. */
  async next<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`The demo ended: ${this.messages}`);
    return JSON.parse(value) as T;
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, "exit");
    return this.#child.exitCode;
  }
}

interface Answers {
  readonly url: string;
  readonly head: string;
  readonly answers: readonly { readonly question: string; readonly rows: readonly string[][] }[];
}
interface Edge {
  readonly from: string;
  readonly to: string;
  readonly properties: Readonly<Record<string, string>>;
}
interface Traversal {
  readonly levels: readonly {
    readonly nodes: readonly { id: string; properties?: { exists: boolean } }[];
    readonly edges?: readonly Edge[];
  }[];
}

interface GitCommit {
  readonly hash: string;
  readonly email: string;
  readonly files: ReadonlySet<string>;
}

function commitsByGit(git: (...args: string[]) => string[]): GitCommit[] {
  const commits: { hash: string; email: string; files: Set<string> }[] = [];
  for (const line of git("log", "--find-renames", "--name-only", "--format=commit %H %aE")) {
    const [, hash, email] = /^commit ([0-9a-f]{40}) (.*)$/.exec(line) ?? [];
    if (hash !== undefined) commits.push({ hash, email: email!, files: new Set() });
    else if (line !== "") commits.at(-1)!.files.add(line);
  }
  return commits;
}

/** What the running graph says must be what git says, counted by git. */
async function compareWithGit(url: string): Promise<void> {
  const rdg = new RdgConnection(url);
  try {
    const hop = async (
      type: string,
      id: string,
      edge: string,
      direction: string,
    ): Promise<Traversal["levels"][number]> => {
      const hops = [{ edge, direction, limit: 1000 }];
      return ((await rdg.ask("/v1/traverse", { from: { type, ids: [id] }, hops })) as Traversal).levels[1]!;
    };
    const git = (...args: string[]): string[] => repository.git("-c", "core.quotePath=false", ...args).split("\n");
    const commits = commitsByGit(git);
    const count = (condition: (commit: GitCommit) => boolean): number => commits.filter(condition).length;
    const existing = new Set<string>();
    for (const email of people) {
      const authored = await hop("person", email, "authored", "out");
      expect(new Set(authored.nodes.map(({ id }) => id))).toEqual(
        new Set(commits.filter((commit) => commit.email === email).map(({ hash }) => hash)),
      );
      const knows = await hop("person", email, "knows", "out");
      for (const { to, properties } of knows.edges!) {
        const byGit = count((commit) => commit.email === email && commit.files.has(to));
        expect([email, to, Number(properties["commits"])]).toEqual([email, to, byGit]);
      }
      for (const { id, properties } of knows.nodes) if (properties!.exists) existing.add(id);
    }
    expect(existing).toEqual(new Set(git("ls-files").filter((path) => path !== "")));
    const inRoot = await hop("folder", ".", "in_folder", "in");
    expect(new Set(inRoot.nodes.map(({ id }) => id))).toEqual(new Set(["README.md", "odd name ü.txt"]));
    const head = await hop("commit", repository.head(), "parent", "out");
    expect(head.nodes.map(({ id }) => id)).toEqual(git("rev-parse", "HEAD^@").filter((hash) => hash !== ""));
    const readme = (await hop("file", "README.md", "co_changed", "both")).edges!;
    for (const { from, to, properties } of readme) {
      const byGit = count(({ files }) => files.has(from) && files.has(to));
      expect([from, to, Number(properties["commits"])]).toEqual([from, to, byGit]);
    }
    expect(readme.length).toBeGreaterThan(2);
  } finally {
    rdg.close();
  }
}

test(
  "the demo: answers, new commits as they are made, a clean end, and nothing doubled by the next start",
  { timeout: 120_000 },
  async () => {
    const demo = new DemoProcess("--repo", repository.path);
    const { url, head, answers } = await demo.next<Answers>();
    expect(head).toBe(repository.head());
    expect(answers.map(({ question }) => question.replace(/(?<=knows |with ).*?( best)?\?$/, "X$1?"))).toEqual([
      "Who knows X best?",
      "What changes together with X?",
      "Who else works on the files of the last 30 commits by Ada?",
      "Where are the files of the last 30 commits by Ada?",
    ]);
    expect(answers.every(({ rows }) => rows.length > 0)).toBe(true);
    await compareWithGit(url);

    repository.write("src/new.ts", "1\n");
    const made = repository.commit("while the demo runs", { email: people[1]! });
    expect(await demo.next()).toMatchObject({ head: made, commits: 1 });
    await compareWithGit(url);
    demo.interrupt();
    expect([await demo.ended(), demo.messages]).toEqual([0, expect.stringContaining("33 commits stored")]);

    // A lost bookmark: everything is read again, and dropped by its id.
    rmSync(join(data, "bookmark.json"));
    repository.write("src/new.ts", "2\n");
    repository.commit("while nothing runs", { email: people[2]! });
    const second = new DemoProcess("--repo", repository.path);
    await compareWithGit((await second.next<Answers>()).url);
    second.interrupt();
    expect([await second.ended(), second.messages]).toEqual([0, expect.stringContaining("35 commits stored")]);

    const third = new DemoProcess("--repo", repository.path, "--once");
    expect((await third.next<Answers>()).head).toBe(repository.head());
    expect([await third.ended(), third.messages]).toEqual([
      0,
      expect.stringContaining("Nothing new since the last start."),
    ]);
    expect(readFileSync(join(data, ".gitignore"), "utf8")).toBe("*\n");

    const other = new TestRepository();
    other.commit("of another repository");
    const refused = new DemoProcess("--repo", other.path, "--once");
    expect([await refused.ended(), refused.messages]).toEqual([1, expect.stringContaining("belongs to the graph of")]);
    other.remove();
  },
);

test("what cannot be read is said in a line", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rdg-demo-none-"));
  try {
    const none = new DemoProcess("--repo", folder);
    expect([await none.ended(), none.messages]).toEqual([
      1,
      expect.stringMatching(/^demo: git rev-parse in .*not a git repository/),
    ]);
    const empty = new TestRepository(mkdtempSync(join(folder, "empty-")));
    const unborn = new DemoProcess("--repo", empty.path);
    expect([await unborn.ended(), unborn.messages]).toEqual([1, expect.stringMatching(/^demo: .* has no commits yet/)]);
    const usage = new DemoProcess("--port", "x");
    expect([await usage.ended(), usage.messages]).toEqual([1, expect.stringMatching(/^demo: --port x is not a port/)]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
