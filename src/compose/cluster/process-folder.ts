// The folder of a process in a cluster: its replica, its keys. One process has it, and what it holds is of one graph on one cluster.
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RdgError } from "../../core/errors.ts";
import { randomId } from "../../core/random.ts";
import { lockFolder } from "../../log/embedded/folder-lock.ts";
import { makeDataFolder } from "../data-folder.ts";

export interface ProcessFolder {
  /** Of the process, whenever it runs here: its later runs take over what the earlier ones left open. */
  readonly name: string;
  /** @throws RdgError conflict, `other_graph`, where the folder holds a replica of something else */
  belongsTo(deploymentId: string): Promise<void>;
  release(): Promise<void>;
}

/** @throws RdgError conflict when another process has it, or an embedded RDG's data are there; unavailable, `folder_not_usable` */
export async function openProcessFolder(data: string): Promise<ProcessFolder> {
  await makeDataFolder(data);
  if (await exists(join(data, "definition.json"))) {
    throw new RdgError("conflict", "embedded_data", "The folder holds the data of `rdg dev`.", {
      place: data,
      hint: "Take another folder for a process of a cluster (--data).",
    });
  }
  const own = join(data, "cluster");
  await mkdir(own, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(own);
  try {
    const name = (await readText(join(own, "name"))) ?? (await write(join(own, "name"), randomId().slice(0, 12)));
    return {
      name,
      belongsTo: (deploymentId) => checkOwner(data, join(own, "deployment.json"), deploymentId),
      release: () => lock.release(),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function checkOwner(data: string, path: string, deploymentId: string): Promise<void> {
  const content = JSON.stringify({ format: 1, id: deploymentId });
  const found = await readText(path);
  if (found === undefined) await write(path, content);
  else if (found !== content) {
    throw new RdgError("conflict", "other_graph", "The folder holds a replica of another graph or cluster.", {
      place: data,
      hint: "Take another folder (--data), or remove this one: a replica is rebuilt from the cluster.",
    });
  }
}

async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

async function write(path: string, text: string): Promise<string> {
  await writeFile(`${path}.tmp`, text, { mode: 0o600, flush: true });
  await rename(`${path}.tmp`, path);
  return text;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
