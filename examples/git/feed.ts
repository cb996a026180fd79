// Feeds the history of a repository into a running RDG: batches in flight, a bookmark after them, and nothing stored twice.
import { createHash } from "node:crypto";
import { InFlight, type RdgConnection } from "../send.ts";
import { type Bookmark, saveBookmark } from "./bookmark.ts";
import { type CommitRecord, createEventMaker } from "./commit-events.ts";
import { type CommitRange, hasCommit, type Repository } from "./git.ts";
import { readCommits } from "./reader.ts";

const batchEventsMax = 200;
const batchCharactersMax = 1_000_000;
const inFlightMax = 4;
const knownMax = 20;
const saveEveryMs = 200;

interface Batch {
  readonly lines: string;
  readonly commits: number;
  readonly events: number;
}

export class HistoryFeed {
  readonly #repository: Repository;
  readonly #rdg: RdgConnection;
  readonly #path: string;
  #bookmark: Bookmark;
  readonly #positions = new Map<string, string>();
  readonly #toEvents = createEventMaker(() => Date.now());

  constructor(repository: Repository, rdg: RdgConnection, bookmark: Bookmark, bookmarkPath: string) {
    this.#repository = repository;
    this.#rdg = rdg;
    this.#bookmark = bookmark;
    this.#path = bookmarkPath;
  }

  /** The range that is to be read to have everything up to `head`, and how much of it was read by an earlier run. Undefined: nothing is missing. */
  async missing(head: string): Promise<{ range: CommitRange; done: number } | undefined> {
    const { known, reading } = this.#bookmark;
    if (known.includes(head)) return undefined;
    if (reading?.head === head && (await this.#existing(reading.known)).length === reading.known.length) {
      return { range: reading, done: reading.done };
    }
    // Commits that a rewritten history has lost cannot be named to git.
    return { range: { head, known: await this.#existing(known) }, done: 0 };
  }

  /** Reads and stores a range; `stored` is told how many commits each batch had. Gives false when it was stopped early. */
  async read(range: CommitRange, done: number, stored: (commits: number) => void, stop: AbortSignal): Promise<boolean> {
    const inFlight = new InFlight(inFlightMax);
    let begun = done;
    let storedCount = done;
    let savedMs = performance.now();
    try {
      for await (const batch of this.#batches(range, done, stop)) {
        if (stop.aborted) break;
        await inFlight.room();
        const key = keyOf(range, begun, batch);
        begun += batch.commits;
        inFlight.add(this.#rdg.produce("events/commit", Buffer.from(batch.lines), key), ({ positions }) => {
          for (const position of positions) this.#positions.set(position.slice(0, position.indexOf("@")), position);
          storedCount += batch.commits;
          stored(batch.commits);
          if (performance.now() - savedMs < saveEveryMs) return;
          savedMs = performance.now();
          this.#save({ ...this.#bookmark, reading: { ...range, done: storedCount } });
        });
      }
      await inFlight.drain();
    } finally {
      this.#save({ ...this.#bookmark, reading: { ...range, done: storedCount } });
    }
    if (stop.aborted) return false;
    const known = [range.head, ...this.#bookmark.known].slice(0, knownMax);
    this.#save({ version: 1, repository: this.#repository.path, known });
    return true;
  }

  /** What has been stored, by this run: to wait for. */
  get positions(): readonly string[] {
    return [...this.#positions.values()];
  }

  async *#batches(range: CommitRange, skip: number, stop: AbortSignal): AsyncGenerator<Batch> {
    let lines = "";
    let commits = 0;
    let events = 0;
    for await (const commit of readCommits(this.#repository, range, skip, stop)) {
      const made: CommitRecord[] = this.#toEvents(commit);
      for (const event of made) lines += `${JSON.stringify(event)}\n`;
      events += made.length;
      commits++;
      if (events < batchEventsMax && lines.length < batchCharactersMax) continue;
      yield { lines, commits, events };
      [lines, commits, events] = ["", 0, 0];
    }
    if (commits > 0) yield { lines, commits, events };
  }

  async #existing(hashes: readonly string[]): Promise<string[]> {
    const existing: string[] = [];
    for (const hash of hashes) if (await hasCommit(this.#repository, hash)) existing.push(hash);
    return existing;
  }

  #save(bookmark: Bookmark): void {
    this.#bookmark = bookmark;
    saveBookmark(this.#path, bookmark);
  }
}

/** The same for the same batch, also after a crash: a batch that was stored although nobody was left to hear so is not stored again. */
function keyOf({ head, known }: CommitRange, start: number, { commits, events }: Batch): string {
  const range = createHash("sha256").update(known.join(" ")).digest("hex").slice(0, 16);
  return `${head}-${range}-${start}-${commits}-${events}`;
}
