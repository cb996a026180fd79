// The folder of all data: made when it is not there, and refused in one clear sentence when it cannot be written to.
import { constants } from "node:fs";
import { access, mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { RdgError } from "../core/errors.ts";

/** @throws RdgError unavailable, `folder_not_usable` */
export async function makeDataFolder(folder: string): Promise<void> {
  try {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    // A new folder is durable when the one above is synced.
    if (made !== undefined) await syncFolder(dirname(made));
    await checkWritable(folder);
  } catch (error) {
    const isUnclear = (error as NodeJS.ErrnoException).code === "ENOENT";
    const cause = isUnclear ? ((await reasonAbove(folder)) ?? error) : error;
    throw new RdgError("unavailable", "folder_not_usable", `The data folder cannot be used: ${reasonOf(cause)}.`, {
      place: folder,
      hint: "Take a folder that this user may write to (--data).",
      cause,
    });
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function checkWritable(folder: string): Promise<void> {
  return access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
}

/** Why nothing can be made below the first folder above that is there; making the whole path does not tell on every system. */
async function reasonAbove(folder: string): Promise<unknown> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    try {
      await checkWritable(path);
      return undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || path === dirname(path)) return error;
    }
  }
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "EROFS":
      return "its disk is read-only";
    case "EACCES":
    case "EPERM":
      return "this user may not write there";
    case "EEXIST":
    case "ENOTDIR":
      return "there is a file of this name";
    case "ENOSPC":
    case "EDQUOT":
      return "its disk is full";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
