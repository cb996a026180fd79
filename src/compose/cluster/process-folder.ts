// The folder of a process in a cluster: its replica, its keys. One process has it, and what it holds is of one graph on one cluster.
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RdgError } from "../../core/errors.ts";
import { lockFolder } from "../../log/embedded/folder-lock.ts";
import { makeDataFolder } from "../data-folder.ts";

export interface ProcessFolder {
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
  return {
    async belongsTo(deploymentId) {
      const path = join(own, "deployment.json");
      const content = JSON.stringify({ format: 1, id: deploymentId });
      const found = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      });
      if (found === content) return;
      if (found !== undefined) {
        throw new RdgError("conflict", "other_graph", "The folder holds a replica of another graph or cluster.", {
          place: data,
          hint: "Take another folder (--data), or remove this one: a replica is rebuilt from the cluster.",
        });
      }
      await writeFile(`${path}.tmp`, content, { mode: 0o600, flush: true });
      await rename(`${path}.tmp`, path);
    },
    release: () => lock.release(),
  };
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
