// A lock among processes: a file that holds its owner's id. One whose owner is gone is taken over.
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { RdgError } from "../../src/core/errors.ts";
import { randomId } from "../../src/core/random.ts";

const pollMs = 200;

/** @throws RdgError conflict when somebody else holds it for longer than `waitMs` */
export async function withLock<Result>(path: string, waitMs: number, run: () => Promise<Result>): Promise<Result> {
  const endMs = Date.now() + waitMs;
  while (!(await take(path))) {
    const owner = Number(await readFile(path, "utf8").catch(() => "0"));
    // 0: it has just been released.
    if (owner === 0) continue;
    if (!isAlive(owner)) await rm(path, { force: true });
    else if (Date.now() >= endMs)
      throw new RdgError("conflict", "busy", `Process ${owner} is at work here.`, {
        place: path,
        hint: "Wait for it, or end it.",
      });
    else await sleep(pollMs);
  }
  try {
    return await run();
  } finally {
    await rm(path, { force: true });
  }
}

/** A link to a whole file, so that nobody sees a lock without its owner. */
async function take(path: string): Promise<boolean> {
  const whole = `${path}.${randomId()}`;
  await writeFile(whole, String(process.pid));
  try {
    await link(whole, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(whole);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
