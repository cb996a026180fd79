// Reads the NUL-separated output of `git diff-tree --stdin -z --raw --numstat` as commits, chunk by chunk, in bounded memory.
//
// Per commit: the header's fields, each ended by NUL; then, after a newline, an entry `:modes hashes status` and its path for each file (two paths for a rename);
// then, in the same order, `added TAB deleted TAB path` for each file (an empty path, then two, for a rename). A header begins with a hash, which has
// neither colon nor tab, so what a token is never depends on what people write into names, paths and subjects.
import { joinPath } from "./paths.ts";

/** What `--format` asks git for: hash, parents, author's name and e-mail (by .mailmap), times in seconds, subject. */
export const formatFields = "%H%x00%P%x00%aN%x00%aE%x00%ct%x00%at%x00%s";
const headerLength = 7;

/** A commit with more files than this is an import; the rest of its files is left out. */
const filesMax = 20_000;
/** Longer tokens (subjects without end) are cut here. */
const tokenBytesMax = 65_536;

export interface FileChange {
  readonly path: string;
  readonly change: "added" | "modified" | "deleted" | "renamed";
  /** Of a renamed file. */
  readonly previousPath?: string;
  /** Lines; undefined for binary files and submodules. */
  added?: number;
  deleted?: number;
}

export interface Commit {
  readonly hash: string;
  readonly parents: readonly string[];
  readonly name: string;
  readonly email: string;
  /** Seconds since the epoch, as git has them: anything is possible. */
  readonly committedSeconds: number;
  readonly authoredSeconds: number;
  readonly subject: string;
  /** Empty for merges: what they bring in was counted where it was written. */
  readonly files: readonly FileChange[];
}

const newline = 10;
const colon = 58;
const tab = 9;
const submoduleMode = "160000";

type Expected = "entry" | "path" | "renamedFrom" | "renamedTo" | "countedFrom" | "countedTo";

export class HistoryParser {
  #cut: Buffer[] = [];
  #cutBytes = 0;
  #header: string[] = [];
  #files: FileChange[] = [];
  /** Whether the file at the same place in `#files` is a submodule. */
  #submodules: boolean[] = [];
  /** Place in `#files` of the next line count. */
  #counted = 0;
  #expected: Expected = "entry";
  #status = "";
  #isSubmodule = false;
  #renamedFrom = "";
  #counts: readonly [string, string] = ["", ""];

  /** The commits that are complete with this chunk. */
  *push(chunk: Buffer): Generator<Commit> {
    let start = 0;
    for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, start)) {
      const token = this.#token(chunk.subarray(start, end));
      start = end + 1;
      const complete = this.#take(token);
      if (complete !== undefined) yield complete;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The last commit, at the end of the output. */
  end(): Commit | undefined {
    return this.#finish();
  }

  #keep(part: Buffer): void {
    const kept = part.subarray(0, Math.max(0, tokenBytesMax - this.#cutBytes));
    if (kept.length === 0) return;
    // A copy: the chunk may be large, and the part small.
    this.#cut.push(Buffer.from(kept));
    this.#cutBytes += kept.length;
  }

  #token(rest: Buffer): Buffer {
    if (this.#cut.length === 0) return rest.subarray(0, tokenBytesMax);
    this.#keep(rest);
    const whole = Buffer.concat(this.#cut);
    this.#cut = [];
    this.#cutBytes = 0;
    return whole;
  }

  #take(token: Buffer): Commit | undefined {
    if (this.#expected !== "entry") {
      this.#takePath(token);
      return undefined;
    }
    if (this.#header.length > 0 && this.#header.length < headerLength) {
      this.#header.push(token.toString());
      return undefined;
    }
    const entry = token[0] === newline ? token.subarray(1) : token;
    if (entry[0] === colon) this.#takeEntry(entry.toString("latin1"));
    else if (entry.includes(tab)) this.#takeCounts(entry);
    else if (entry.length > 0) {
      const complete = this.#finish();
      this.#header.push(entry.toString("latin1"));
      return complete;
    }
    return undefined;
  }

  #takeEntry(entry: string): void {
    const [modeBefore, modeAfter, , , status] = entry.slice(1).split(" ");
    this.#isSubmodule = modeBefore === submoduleMode || modeAfter === submoduleMode;
    this.#status = status?.[0] ?? "M";
    this.#expected = this.#status === "R" || this.#status === "C" ? "renamedFrom" : "path";
  }

  #takeCounts(entry: Buffer): void {
    const first = entry.indexOf(tab);
    const second = entry.indexOf(tab, first + 1);
    this.#counts = [entry.toString("latin1", 0, first), entry.toString("latin1", first + 1, second)];
    if (second === entry.length - 1) this.#expected = "countedFrom";
    else this.#count(joinPath(entry.subarray(second + 1)));
  }

  #takePath(token: Buffer): void {
    switch (this.#expected) {
      case "path":
        this.#expected = "entry";
        return this.#addFile({ path: joinPath(token), change: changeOf(this.#status) });
      case "renamedFrom":
        this.#renamedFrom = joinPath(token);
        this.#expected = "renamedTo";
        return;
      case "renamedTo":
        this.#expected = "entry";
        return this.#addFile({ path: joinPath(token), change: "renamed", previousPath: this.#renamedFrom });
      case "countedFrom":
        this.#expected = "countedTo";
        return;
      case "countedTo":
        this.#expected = "entry";
        return this.#count(joinPath(token));
      case "entry":
    }
  }

  #addFile(file: FileChange): void {
    if (this.#files.length >= filesMax) return;
    this.#files.push(file);
    this.#submodules.push(this.#isSubmodule);
  }

  /** Adds the line counts to their file. The order is that of the entries; an entry without counts is passed over. */
  #count(path: string): void {
    let place = this.#counted;
    while (place < this.#files.length && this.#files[place]!.path !== path) place++;
    if (place === this.#files.length) return;
    this.#counted = place + 1;
    const [added, deleted] = this.#counts;
    if (added === "-" || this.#submodules[place] === true) return;
    const file = this.#files[place]!;
    file.added = Number(added);
    file.deleted = Number(deleted);
  }

  #finish(): Commit | undefined {
    if (this.#header.length < headerLength) return undefined;
    const [hash, parents, name, email, committed, authored, subject] = this.#header as [string, ...string[]];
    const files = this.#files;
    this.#header = [];
    this.#files = [];
    this.#submodules = [];
    this.#counted = 0;
    return {
      hash,
      parents: parents!.split(" ").filter((parent) => parent !== ""),
      name: name!,
      email: email!,
      committedSeconds: Number(committed),
      authoredSeconds: Number(authored),
      subject: subject!,
      files,
    };
  }
}

function changeOf(status: string): FileChange["change"] {
  return status === "A" ? "added" : status === "D" ? "deleted" : "modified";
}
