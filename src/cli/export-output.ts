// Where an export goes: stdout, a file or a folder. A file or folder gets its name once it is whole: what was given up leaves nothing behind.
import { once } from "node:events";
import { mkdir, open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { RdgError } from "../core/errors.ts";

/** One file: stdout where no path is given. @returns bytes written */
export async function writeFileWhole(
  path: string | undefined,
  pieces: Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number> {
  if (path === undefined) return await writeStdout(pieces, signal);
  const partial = `${path}.tmp`;
  let bytes = 0;
  try {
    const file = await open(partial, "w");
    try {
      for (const piece of pieces) {
        signal.throwIfAborted();
        await file.writeFile(piece);
        bytes += piece.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    await syncFolder(dirname(resolve(path)));
  } catch (error) {
    await rm(partial, { force: true });
    throw asRdgError(error, path);
  }
  return bytes;
}

/** Many files in a folder, which must be missing or empty. @returns bytes written */
export async function writeFolderWhole(
  path: string,
  texts: Iterable<{ readonly file: string; readonly text: string }>,
  signal: AbortSignal,
): Promise<number> {
  const partial = `${path.replace(/[/\\]+$/, "")}.tmp`;
  const files = new Map<string, BufferedFile>();
  let bytes = 0;
  try {
    await requireEmpty(path);
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial);
    for (const { file: name, text } of texts) {
      signal.throwIfAborted();
      let file = files.get(name);
      // `wx`: names of types that differ in case only are one name on some file systems.
      if (file === undefined) files.set(name, (file = new BufferedFile(await open(join(partial, name), "wx"))));
      const full = file.add(text);
      if (full !== undefined) bytes += await full;
    }
    for (const file of files.values()) bytes += await file.finish();
    await rm(path, { recursive: true, force: true });
    await rename(partial, path);
    await syncFolder(dirname(resolve(path)));
  } catch (error) {
    for (const file of files.values()) await file.close().catch(() => undefined);
    await rm(partial, { recursive: true, force: true });
    throw asRdgError(error, path);
  }
  return bytes;
}

const bufferChars = 64 * 1024;

class BufferedFile {
  readonly #file: FileHandle;
  #text = "";
  #closed = false;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** A promise only when something is written. */
  add(text: string): Promise<number> | undefined {
    this.#text += text;
    return this.#text.length < bufferChars ? undefined : this.#flush();
  }

  async finish(): Promise<number> {
    const bytes = await this.#flush();
    await this.#file.sync();
    await this.close();
    return bytes;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close();
  }

  async #flush(): Promise<number> {
    const bytes = Buffer.from(this.#text);
    this.#text = "";
    await this.#file.writeFile(bytes);
    return bytes.length;
  }
}

async function writeStdout(pieces: Iterable<Uint8Array>, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for (const piece of pieces) {
    signal.throwIfAborted();
    if (!process.stdout.write(piece)) await once(process.stdout, "drain", { signal });
    bytes += piece.length;
  }
  return bytes;
}

async function requireEmpty(folder: string): Promise<void> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (found.length === 0) return;
  throw new RdgError("conflict", "folder_not_empty", "The folder is not empty.", {
    place: folder,
    hint: "Name a new one.",
  });
}

/** So that the name, too, survives a failure of power. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function asRdgError(error: unknown, place: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (error instanceof RdgError || code === undefined || syscall === undefined) return error;
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR" || code === "EACCES") {
    return new RdgError("invalid", "bad_output", `This cannot be written: ${message}.`, { place, cause: error });
  }
  return new RdgError("unavailable", "output_failed", `Writing failed: ${message}.`, { place, cause: error });
}
