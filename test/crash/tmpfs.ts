// A small disk of its own for a test, where the system lets one be mounted: by root, mostly.
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";

/** Mounts a tmpfs; undefined where that is not allowed. */
export async function mountTmpfs(path: string, options: string): Promise<{ unmount(): Promise<void> } | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  await mkdir(path, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { unmount: async () => void execFileSync("umount", [path]) };
}
