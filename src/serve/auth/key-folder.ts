// The API keys of a data folder, one file each: making a key and revoking one write and delete a file, so that commands and a running server need no lock.
import { mkdir, open, readFile, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { RdgError } from "../../core/errors.ts";
import { type ApiKey, type KnownKey, type NewApiKey, keyFileEnding, makeApiKey, readKeyFile } from "./api-key.ts";

/** More are refused: all are held in memory. */
const keysMax = 10_000;

export class KeyFolder {
  readonly path: string;

  /** @param data the data folder */
  constructor(data: string) {
    this.path = join(data, "keys", "api");
  }

  /** Whether a key was ever made here. Revoking the last one does not undo it. */
  async exists(): Promise<boolean> {
    const found = await stat(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    return found !== undefined;
  }

  /** Durable when it resolves. @throws RdgError invalid; overloaded, `too_many_keys` */
  async create(wanted: NewApiKey, nowMs: number): Promise<{ readonly secret: string; readonly key: ApiKey }> {
    const { secret, key, file } = makeApiKey(wanted, nowMs);
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    if ((await this.names()).length >= keysMax) {
      throw new RdgError("overloaded", "too_many_keys", `There are ${keysMax} keys already.`, {
        place: this.path,
        hint: "Revoke those that nobody uses: `rdg keys list`, `rdg keys revoke <id>`.",
      });
    }
    const path = join(this.path, `${key.id}${keyFileEnding}`);
    const unfinished = `${path}.tmp`;
    try {
      await writeDurably(unfinished, file);
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    await this.#sync();
    return { secret, key };
  }

  /** Durable when it resolves; a server that runs knows it within a second. @throws RdgError not_found, `unknown_key` */
  async revoke(id: string): Promise<void> {
    try {
      if (!/^[0-9a-z]{1,64}$/.test(id)) throw Object.assign(new Error("no id"), { code: "ENOENT" });
      await unlink(join(this.path, `${id}${keyFileEnding}`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new RdgError("not_found", "unknown_key", "There is no key of this id.", {
        place: this.path,
        hint: "`rdg keys list` prints the ids.",
      });
    }
    await this.#sync();
  }

  /** Names of the files with keys. */
  async names(): Promise<string[]> {
    try {
      return (await readdir(this.path)).filter((name) => name.endsWith(keyFileEnding));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  /** undefined when it was revoked meanwhile. @throws RdgError corrupt */
  async read(name: string): Promise<KnownKey | undefined> {
    const path = join(this.path, name);
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const known = readKeyFile(text, path);
    if (`${known.key.id}${keyFileEnding}` === name) return known;
    throw new RdgError("corrupt", "bad_key_file", "This key cannot be used: its file has the name of another.", {
      place: path,
      hint: "Delete the file and make a new key with `rdg keys create`.",
    });
  }

  async #sync(): Promise<void> {
    const folder = await open(this.path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
