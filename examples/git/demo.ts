// `npm run demo`: the history of a git repository as a graph, in one process: reads it, asks it, follows it.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EmbeddedSettings, RunningRdg } from "../../src/compose.ts";
import { Progress } from "../progress.ts";
import { RdgConnection } from "../send.ts";
import { loadBookmark } from "./bookmark.ts";
import { HistoryFeed } from "./feed.ts";
import { countCommits, GitError, headOf, openRepository, type Repository } from "./git.ts";
import { dataFolderOf, help, type Options, readOptions } from "./options.ts";
import { type Answered, Questions } from "./questions.ts";

const pollMs = 1000;
const graphFile = join(import.meta.dirname, "graph.ts");

const say = (line = ""): boolean => process.stderr.write(`${line}\n`);
const print = (line = ""): boolean => process.stdout.write(`${line}\n`);

class Demo {
  readonly #repository: Repository;
  readonly #feed: HistoryFeed;
  readonly #questions: Questions;
  readonly #running: RunningRdg;
  readonly #isJson: boolean;
  readonly #stop: AbortSignal;

  constructor(
    repository: Repository,
    feed: HistoryFeed,
    rdg: RdgConnection,
    running: RunningRdg,
    isJson: boolean,
    stop: AbortSignal,
  ) {
    this.#repository = repository;
    this.#feed = feed;
    this.#questions = new Questions(rdg);
    this.#running = running;
    this.#isJson = isJson;
    this.#stop = stop;
  }

  /** Reads everything up to `head`, with progress, and waits until it is in the graph. */
  async catchUp(head: string): Promise<void> {
    const missing = await this.#feed.missing(head);
    if (missing === undefined) say("Nothing new since the last start.");
    else {
      const { range, done } = missing;
      if (done > 0 || range.known.length > 0) say("Going on where the last start stopped.");
      const progress = new Progress("commits", undefined, done);
      progress.add(0);
      // Counting takes a while where there are millions: the bar appears when it is done.
      countCommits(this.#repository, range, this.#stop).then(
        (total) => (progress.total = total),
        () => undefined,
      );
      const startMs = performance.now();
      let read = 0;
      await this.#feed
        .read(
          range,
          done,
          (commits) => {
            read += commits;
            progress.add(commits);
          },
          this.#stop,
        )
        .finally(() => progress.stop());
      const seconds = (performance.now() - startMs) / 1000;
      say(`${read.toLocaleString("en")} commits stored in ${seconds.toFixed(1)} s.`);
      if (this.#stop.aborted) return;
    }
    const startMs = performance.now();
    await this.#running.ready;
    await this.#questions.waitFor(head, this.#feed.positions, this.#stop);
    if (missing !== undefined) say(`All in the graph ${Math.round(performance.now() - startMs)} ms later.`);
  }

  async answer(head: string): Promise<void> {
    const answers = await this.#questions.about(head);
    if (this.#isJson) return void print(JSON.stringify({ url: this.#running.url, head, answers }));
    for (const answered of answers) printAnswer(answered);
  }

  /** Follows HEAD until stopped. */
  async follow(): Promise<void> {
    while (!this.#stop.aborted) {
      await sleep(pollMs, undefined, { signal: this.#stop }).catch(() => undefined);
      const head = this.#stop.aborted ? undefined : await headOf(this.#repository);
      if (head === undefined) continue;
      const missing = await this.#feed.missing(head);
      if (missing === undefined) continue;
      const startMs = performance.now();
      let commits = 0;
      await this.#feed.read(missing.range, missing.done, (stored) => (commits += stored), this.#stop);
      await this.#questions.waitFor(head, this.#feed.positions, this.#stop);
      const milliseconds = Math.round(performance.now() - startMs);
      if (this.#isJson) print(JSON.stringify({ head, commits, milliseconds }));
      else
        print(
          `${head.slice(0, 10)}: ${commits} new commit${commits === 1 ? "" : "s"}, in the graph after ${milliseconds} ms`,
        );
    }
  }
}

function printAnswer({ question, query, rows, complete, milliseconds }: Answered): void {
  print();
  print(`${question}  (${milliseconds} ms)`);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  for (const row of rows)
    print(
      `    ${row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("   ")
        .trimEnd()}`,
    );
  if (rows.length === 0) print("    Nobody and nothing else.");
  if (!complete) print("    (There is more than the query's limits let through.)");
  print(`  ${query}`);
}

function announce(url: string, data: string): void {
  const rdg = "npm run --silent rdg --";
  const at = url === "http://127.0.0.1:7400" ? "" : ` --url ${url}`;
  say();
  say(`Explore the graph at ${url} (kept in ${relative("", data) || data}). In another terminal:`);
  say(`    ${rdg} query "(folder {id: '.'})<-[:in_folder {latest: 10}]-(file)"${at}`);
  say(`    ${rdg} query "<any query above>" --table${at}`);
  say(`    ${rdg} status${at}`);
  say("Following new commits; Ctrl-C ends it.");
}

async function run(options: Options, stop: AbortController): Promise<void> {
  const repository = await openRepository(options.repo);
  const head = await headOf(repository);
  if (head === undefined)
    throw new GitError(`${repository.path} has no commits yet. Make one, or name another repository.`);
  if (repository.shallow.size > 0) say("This is a shallow clone: only the commits that it has are read.");
  if (repository.partial) say("This clone fetches file contents on demand: lines are not counted.");
  const data = options.data ?? dataFolderOf(repository.path);
  const bookmarkPath = join(data, "bookmark.json");
  const bookmark = loadBookmark(bookmarkPath, repository.path);
  // Only now, so that a mistake is told at once.
  const { embeddedSettings, startEmbedded } = await import("../../src/compose.ts");
  const { default: graph } = await import("./graph.ts");
  mkdirSync(data, { recursive: true });
  // Whatever repository the folder is in, git ignores it.
  writeFileSync(join(data, ".gitignore"), "*\n");
  const port = options.port ?? (options.once ? 0 : await freePort(embeddedSettings.port.default));
  const defaults = Object.fromEntries(
    Object.entries(embeddedSettings).map(([name, setting]) => [name, setting.default]),
  );
  const settings = { ...defaults, port, data: join(data, "graph"), "log.level": "warn" } as EmbeddedSettings;
  say(`Reading ${repository.path}`);
  const running = await startEmbedded(graph, settings, graphFile);
  const rdg = new RdgConnection(running.url);
  try {
    const feed = new HistoryFeed(repository, rdg, bookmark, bookmarkPath);
    const demo = new Demo(repository, feed, rdg, running, options.json, stop.signal);
    const failed = running.failed.then((cause) => {
      throw cause;
    });
    const story = async (): Promise<void> => {
      await demo.catchUp(head);
      if (stop.signal.aborted) return;
      await demo.answer(head);
      if (options.once) return;
      if (!options.json) announce(running.url, data);
      await demo.follow();
    };
    await Promise.race([story(), failed]);
  } finally {
    stop.abort();
    rdg.close();
    await running.close();
  }
}

/** The port, or 0, which is any, when something else has it. */
async function freePort(port: number): Promise<number> {
  const probe = createServer().listen(port, "127.0.0.1");
  try {
    await once(probe, "listening");
    return port;
  } catch {
    return 0;
  } finally {
    probe.close();
  }
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    say("Stopping; the next start goes on from here.");
    stop.abort();
  });
}
// Whoever reads our output may have seen enough, as head does.
process.stdout.on("error", () => stop.abort());
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) print(help);
  else await run(options, stop);
} catch (error) {
  const { message, hint } = error as { message?: string; hint?: string };
  say(`demo: ${message ?? String(error)}${hint === undefined ? "" : ` ${hint}`}`);
  process.exitCode = 1;
}
