// The audit log: who did, or was refused, what needs `admin`. JSON lines in the data folder, appended and fsynced one by one; several processes may write.
//
// Each record opens, writes and closes the file: they are few, and so neither a rotation nor a second process can leave one behind in a file that nobody
// reads. Nothing of credentials, headers or bodies gets here.
import { type FileHandle, mkdir, open, readFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { RdgError, describeError } from "../../core/errors.ts";
import { randomId } from "../../core/random.ts";
import type { Principal } from "./port.ts";

const fileName = "audit.ndjson";
const header = `${JSON.stringify({ format: "rdg-audit", version: 1 })}\n`;
const waitingMax = 1_000;
const textLengthMax = 500;

export interface AuditEntry {
  readonly event:
    | "admin.begun"
    | "admin.ended"
    | "admin.denied"
    | "key.created"
    | "key.revoked"
    | "deployment.begun"
    | "definition.deployed";
  /** Whoever asked over the network, or the user of the operating system who ran a command. */
  readonly who: Pick<Principal, "id" | "name"> | undefined;
  readonly address?: string | undefined;
  readonly operation: string;
  readonly target?: string | undefined;
  readonly requestId?: string | undefined;
  /** HTTP's or gRPC's; or the code of the refusal. */
  readonly status?: string | number | undefined;
  /** Of refusals: how many before this one were not written, because there were too many. */
  readonly suppressed?: number | undefined;
  /** A few facts more: scopes of a key, fingerprints of definitions. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export interface AuditRecord extends AuditEntry {
  readonly at: string;
}

export interface AuditLogOptions {
  /** The data folder. */
  readonly data: string;
  readonly clock: Clock;
  /** Size at which a file ends and the next begins. */
  readonly fileBytesMax: number;
  /** Older ones are deleted. */
  readonly filesMax: number;
}

export class AuditLog {
  readonly waitingMax = waitingMax;
  readonly #options: AuditLogOptions;
  readonly #folder: string;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#folder = join(options.data, "audit");
  }

  /** Records that are not written yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Durable when it resolves. @throws RdgError overloaded; unavailable, `audit_failed` */
  async record(entry: AuditEntry): Promise<void> {
    if (this.#waiting >= waitingMax) {
      throw new RdgError("overloaded", "too_many_requests", "Too many records wait for the audit log.", {
        retryAfterMs: 1_000,
      });
    }
    this.#waiting++;
    const line = lineOf({ at: new Date(this.#options.clock.now()).toISOString(), ...entry });
    const written = this.#last.then(() => this.#append(line));
    this.#last = written.catch(() => undefined);
    try {
      await written;
    } catch (error) {
      throw new RdgError("unavailable", "audit_failed", `The audit log cannot be written: ${describeError(error)}.`, {
        place: this.#folder,
        hint: "What needs the scope admin is refused until it can.",
        cause: error,
        retryAfterMs: 5_000,
      });
    } finally {
      this.#waiting--;
    }
  }

  /** Resolves when everything is written. */
  async close(): Promise<void> {
    await this.#last;
  }

  async #append(line: string): Promise<void> {
    const made = await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const file = await open(join(this.#folder, fileName), "a+", 0o600);
    let sizeBytes: number;
    try {
      sizeBytes = (await file.stat()).size;
      // One write: what two processes append does not mix.
      await file.appendFile((sizeBytes === 0 ? header : await ending(file, sizeBytes)) + line);
      await file.sync();
    } finally {
      await file.close();
    }
    if (made !== undefined || sizeBytes === 0) await syncFolder(this.#folder);
    if (sizeBytes + line.length >= this.#options.fileBytesMax) await this.#rotate();
  }

  async #rotate(): Promise<void> {
    const time = new Date(this.#options.clock.now()).toISOString().replaceAll(/[:.]/g, "-");
    const name = `audit-${time}-${randomId().slice(0, 6)}.ndjson`;
    await rename(join(this.#folder, fileName), join(this.#folder, name)).catch((error: NodeJS.ErrnoException) => {
      // Another process was first.
      if (error.code !== "ENOENT") throw error;
    });
    const ended = (await endedFiles(this.#folder)).slice(0, -Math.max(1, this.#options.filesMax - 1));
    for (const old of ended) await rm(join(this.#folder, old), { force: true });
    await syncFolder(this.#folder);
  }
}

/** All records that are kept, oldest first; `undefined` for a line that cannot be read, such as one that a crash cut off. */
export async function* readAudit(data: string): AsyncGenerator<AuditRecord | undefined> {
  const folder = join(data, "audit");
  for (const name of [...(await endedFiles(folder)), fileName]) {
    const text = await readFile(join(folder, name), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    for (const line of text.split("\n")) {
      if (line === "" || `${line}\n` === header) continue;
      yield recordOf(line);
    }
  }
}

function recordOf(line: string): AuditRecord | undefined {
  try {
    return JSON.parse(line) as AuditRecord;
  } catch {
    return undefined;
  }
}

/** By time of their ends. */
async function endedFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names.filter((name) => /^audit-.*\.ndjson$/.test(name)).sort();
}

/** A line that a crash cut off must not swallow the next one. */
async function ending(file: FileHandle, sizeBytes: number): Promise<string> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, sizeBytes - 1);
  return buffer[0] === 10 ? "" : "\n";
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function lineOf(record: AuditRecord): string {
  const shortened = (_name: string, value: unknown): unknown =>
    typeof value === "string" && value.length > textLengthMax
      ? `${value.slice(0, textLengthMax)}...`.toWellFormed()
      : value;
  return `${JSON.stringify(record, shortened)}\n`;
}
