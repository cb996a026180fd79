// Golden folders as they lie in the repository: file by file, large ones compressed.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

const plainBytesMax = 8_192;

export const goldenFolders = new URL("../golden/folders/", import.meta.url).pathname;

export async function packFolder(from: string, to: string): Promise<void> {
  for (const path of await filesOf(from)) {
    const content = await readFile(path);
    const packed = content.length > plainBytesMax;
    const target = `${join(to, relative(from, path))}${packed ? ".gz" : ""}`;
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, packed ? gzipSync(content, { level: 9 }) : content);
  }
}

export interface Unpacked {
  readonly path: string;
  remove(): Promise<void>;
}

/** A copy to work on. */
export async function unpackFolder(from: string): Promise<Unpacked> {
  const to = await mkdtemp(join(tmpdir(), "rdg-formats-"));
  for (const path of await filesOf(from)) {
    const content = await readFile(path);
    const target = join(to, relative(from, path));
    await mkdir(dirname(target), { recursive: true });
    // Keys are nobody else's business: a folder that others may read is refused.
    if (path.endsWith(".gz")) await writeFile(target.slice(0, -".gz".length), gunzipSync(content), { mode: 0o600 });
    else await writeFile(target, content, { mode: 0o600 });
  }
  return { path: to, remove: () => rm(to, { recursive: true, force: true }) };
}

async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
}
