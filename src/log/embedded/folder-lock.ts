// One process per folder: a lock that the kernel drops with its process, so that a crash never leaves one behind and two processes never share a log.
//
// An owner listens on a socket of its own in the folder and names it in a lock file `lock.<n>`, which it creates whole (link). Whoever can be
// connected to is alive, across containers too; a refused connection proves the owner dead. Where sockets do not work, pid and start time decide.
// A newcomer that finds only dead locks creates `lock.<n + 1>`; of several newcomers one succeeds. It then looks again: it owns the folder only if no
// other living lock exists, so two that overlap can both give up but never both win.
import { link, mkdir, open, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { RdgError } from "../../core/errors.ts";
import { randomId } from "../../core/random.ts";

interface Owner {
  readonly pid: number;
  /** When the process started, as the system counts it; with the pid it names one process. Undefined where it cannot be told. */
  readonly started: string | undefined;
  readonly host: string;
  /** Name of the socket in the folder, undefined when the file system has none. */
  readonly socket: string | undefined;
}

const lockName = /^lock\.(\d{1,9})$/;

export async function lockFolder(folder: string): Promise<{ release(): Promise<void> }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = `lock-${randomId()}`;
  const server = await listen(folder, `${name}.socket`);
  const owner: Owner = {
    pid: process.pid,
    started: await startOf(process.pid),
    host: hostname(),
    socket: server && `${name}.socket`,
  };
  const draft = join(folder, `${name}.draft`);
  let own: string | undefined;
  const release = async (): Promise<void> => {
    if (own !== undefined) await rm(join(folder, own), { force: true });
    await stop(server);
    await rm(join(folder, `${name}.socket`), { force: true });
  };
  try {
    await writeFile(draft, JSON.stringify(owner), { mode: 0o600, flag: "wx" });
    own = await create(folder, draft);
    const dead = await checkOthers(folder, own);
    for (const path of dead) await rm(path, { force: true });
    return { release };
  } catch (error) {
    await release();
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function create(folder: string, draft: string): Promise<string> {
  for (;;) {
    await checkOthers(folder, undefined);
    const highest = (await locks(folder)).reduce((most, lock) => Math.max(most, Number(lockName.exec(lock)![1])), 0);
    const name = `lock.${highest + 1}`;
    try {
      await link(draft, join(folder, name));
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

async function locks(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => lockName.test(name));
}

/** Paths of what dead owners left. Rejects when an owner other than `own` lives. */
async function checkOthers(folder: string, own: string | undefined): Promise<string[]> {
  const dead: string[] = [];
  for (const name of await locks(folder)) {
    if (name === own) continue;
    const path = join(folder, name);
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text === undefined) continue;
    const owner = parse(text, path);
    if (await isAlive(folder, owner)) throw locked(folder, owner);
    dead.push(path);
    if (owner.socket !== undefined) dead.push(join(folder, owner.socket));
  }
  return dead;
}

function parse(text: string, path: string): Owner {
  try {
    const { pid, started, host, socket } = JSON.parse(text) as Record<string, unknown>;
    if (
      typeof pid === "number" &&
      typeof host === "string" &&
      (socket === undefined || (typeof socket === "string" && /^lock-[0-9a-z]+\.socket$/.test(socket)))
    ) {
      return { pid, started: typeof started === "string" ? started : undefined, host, socket };
    }
  } catch {
    // Reported below: a lock that cannot be read may be somebody's.
  }
  throw new RdgError("corrupt", "lock_damaged", "The lock file cannot be read, so its owner is unknown.", {
    place: path,
    hint: "Make sure that no other process uses the folder, then remove this file.",
  });
}

function locked(folder: string, owner: Owner): RdgError {
  const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
  return new RdgError("conflict", "log_locked", `The log is in use by process ${owner.pid}${where}.`, {
    place: folder,
    hint: "Stop that process, or give this one a folder of its own.",
  });
}

async function isAlive(folder: string, owner: Owner): Promise<boolean> {
  if (owner.socket !== undefined) return await answers(folder, owner.socket);
  if (owner.host !== hostname()) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return owner.started === undefined || owner.started === (await startOf(owner.pid));
}

/** Boot and start time of a process on Linux; elsewhere the pid alone has to do. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "latin1")).trim();
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything; the start time is the 20th field behind it.
    return `${boot}/${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}

/** A path that a socket takes: systems allow about 100 bytes, so a deep folder is addressed through an open handle where the system has that. */
async function withSocketPath<T>(folder: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, name);
  if (process.platform !== "linux" || Buffer.byteLength(path) < 100) return await use(path);
  const handle = await open(folder, "r");
  try {
    return await use(`/proc/self/fd/${handle.fd}/${name}`);
  } finally {
    await handle.close();
  }
}

async function listen(folder: string, name: string): Promise<Server | undefined> {
  if (process.platform === "win32") return undefined;
  const server = createServer((socket) => socket.destroy());
  server.unref();
  try {
    await withSocketPath(
      folder,
      name,
      (path) =>
        new Promise<void>((resolve, reject) => {
          server.once("error", reject);
          server.listen(path, resolve);
        }),
    );
    return server;
  } catch {
    return undefined;
  }
}

function answers(folder: string, name: string): Promise<boolean> {
  return withSocketPath(
    folder,
    name,
    (path) =>
      new Promise<boolean>((resolve) => {
        const socket = connect(path);
        socket.once("connect", () => {
          socket.destroy();
          resolve(true);
        });
        // Anything but a proof of death counts as alive.
        socket.once("error", (error: NodeJS.ErrnoException) =>
          resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
        );
      }),
  );
}

function stop(server: Server | undefined): Promise<void> {
  if (server === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
