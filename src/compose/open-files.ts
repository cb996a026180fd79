// How many connections the process may have open without taking the files that the log needs: at most half of what the system lets it open.
import { readFile } from "node:fs/promises";

const connectionsMax = 10_000;

/** Where the system does not tell its limit as Linux does, it is taken to be high. */
export async function connectionsAllowed(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const openFiles = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return openFiles === undefined ? connectionsMax : Math.min(connectionsMax, Math.floor(Number(openFiles) / 2));
}
