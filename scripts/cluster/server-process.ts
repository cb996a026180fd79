// One server in a process group of its own: started until it says that it is ready, stopped in order, or killed.
//
// Whoever starts a server for tests may die at any moment. So a guard stands beside it: a shell that waits for the end of a pipe which only its starter holds.
// When the starter is gone, however, the guard kills the server and removes its folder.
import { spawn, type ChildProcess } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import { open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RdgError } from "../../src/core/errors.ts";

export interface Program {
  /** As people call it. */
  readonly name: string;
  /** Settings, data, log and the process's id. Its path stands in the command line, so that the process can be told from any other. */
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What it writes once it serves. */
  readonly ready: RegExp;
  readonly readyWithinMs: number;
  readonly stopsWithinMs: number;
}

const pollMs = 100;
/** Of a log, for errors. */
const linesTold = 25;

export const logOf = (folder: string): string => join(folder, "log");
const pidFileOf = (folder: string): string => join(folder, "pid");

/** Resolves when the server is ready. @throws RdgError unavailable, with the end of its log, when it ends instead or takes too long */
export async function startProcess(program: Program): Promise<void> {
  const { name, folder, command, args, environment } = program;
  const logBytes = await stat(logOf(folder)).then(
    ({ size }) => size,
    () => 0,
  );
  const log = openSync(logOf(folder), "a");
  const child = spawn(command, args, {
    cwd: folder,
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...environment },
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once("exit", (code, signal) => resolve(`ended with ${signal ?? code}`));
  });
  child.unref();
  if (child.pid !== undefined) await writeFile(pidFileOf(folder), String(child.pid));
  try {
    const failure = await Promise.race([ended, untilReady(program, logBytes)]);
    if (failure === undefined) return;
    const message = `${name} ${failure}. The end of its log:\n${await endOf(logOf(folder))}`;
    throw new RdgError("unavailable", "server_not_started", message, { place: logOf(folder) });
  } catch (error) {
    await killProcess(folder);
    throw error;
  }
}

/** What went wrong, or undefined when the server is ready. */
async function untilReady({ folder, ready, readyWithinMs }: Program, logBytes: number): Promise<string | undefined> {
  const endMs = Date.now() + readyWithinMs;
  while (Date.now() < endMs) {
    if (ready.test(await readFrom(logOf(folder), logBytes))) return undefined;
    if ((await pidOf(folder)) === undefined) return "ended";
    await sleep(pollMs);
  }
  return `was not ready after ${readyWithinMs / 1000} s`;
}

/** Asks it to end and waits; kills it when it does not. True when it ended by itself. */
export async function stopProcess({
  folder,
  stopsWithinMs,
}: Pick<Program, "folder" | "stopsWithinMs">): Promise<boolean> {
  // A paused process does not hear that it shall end.
  await signalProcess(folder, "SIGCONT");
  await signalProcess(folder, "SIGTERM");
  const stopped = await untilGone(folder, stopsWithinMs);
  if (!stopped) await killProcess(folder);
  return stopped;
}

export async function killProcess(folder: string): Promise<void> {
  await signalProcess(folder, "SIGKILL");
  if (await untilGone(folder, 10_000)) return;
  throw new RdgError("internal", "server_not_killed", `The server in ${folder} is still there after SIGKILL.`);
}

/** To the whole group; nothing when it is gone. */
export async function signalProcess(folder: string, signal: NodeJS.Signals): Promise<void> {
  const pid = await pidOf(folder);
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Resolves when none of its threads runs any more: the signal reaches them one after the other, and until then a server answers. */
export async function pauseProcess(folder: string): Promise<void> {
  await signalProcess(folder, "SIGSTOP");
  const pid = await pidOf(folder);
  if (pid !== undefined) while (await isRunning(pid)) await sleep(1);
}

/** Of the server that runs in this folder. A process that got the number later is not it. */
export async function pidOf(folder: string): Promise<number | undefined> {
  const pid = Number(await readFile(pidFileOf(folder), "utf8").catch(() => "0"));
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  return (await commandLineOf(pid)).includes(folder) ? pid : undefined;
}

/** Empty for a process that is gone or dead (a zombie has none). */
async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === "linux") return readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return asksPs(pid, "command");
}

/** Neither stopped nor gone. */
async function isRunning(pid: number): Promise<boolean> {
  if (process.platform !== "linux") return !/^T|^$/.test(await asksPs(pid, "state"));
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const states = await Promise.all(
    threads.map(async (thread) => {
      const line = await readFile(`/proc/${pid}/task/${thread}/stat`, "utf8").catch(() => "");
      // Behind its name, which may hold blanks and brackets.
      return line.slice(line.lastIndexOf(")") + 2)[0] ?? "X";
    }),
  );
  return states.some((state) => !"TXZ".includes(state));
}

async function asksPs(pid: number, what: string): Promise<string> {
  const ps = spawn("ps", ["-ww", "-o", `${what}=`, "-p", String(pid)], { stdio: ["ignore", "pipe", "ignore"] });
  return (await ps.stdout.setEncoding("utf8").toArray()).join("");
}

async function untilGone(folder: string, withinMs: number): Promise<boolean> {
  const endMs = Date.now() + withinMs;
  while ((await pidOf(folder)) !== undefined) {
    if (Date.now() > endMs) return false;
    await sleep(pollMs);
  }
  return true;
}

/** Kills what runs in the folder and removes it as soon as this process is gone. Undone by the function that it returns. */
export function guard(folder: string): () => void {
  const script = 'read -r _; kill -s KILL -- "-$(cat "$1/pid")" 2>/dev/null; sleep 1; rm -rf "$1"';
  const shell: ChildProcess = spawn("sh", ["-c", script, "rdg-cluster-guard", folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.unref();
  return () => {
    shell.kill("SIGKILL");
    shell.stdin?.destroy();
  };
}

/** The last lines of a log. */
export async function endOf(path: string, lines: number = linesTold): Promise<string> {
  const { size } = await stat(path);
  const text = await readFrom(path, Math.max(0, size - lines * 1000));
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}

async function readFrom(path: string, position: number): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.max(0, size - position));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
    return bytes.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
