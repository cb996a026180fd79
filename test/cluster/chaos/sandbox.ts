// Runs a program in namespaces of its own: processes, network and mounts that nobody else sees, and that the kernel removes, with all that runs in them, when
// the program ends, however it ends.
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Name of the variable with the path of libfaketime. */
export const faketimeVariable = "RDG_TEST_FAKETIME";

/**
 * @param onLine is told every line that it writes
 * @returns its exit code; null when a signal ended it
 * @throws an Error that says what is missing on this machine
 */
export async function runInSandbox(
  program: string,
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<number | null> {
  const faketime = await faketimeLibrary();
  const temporary = await mkdtemp(join(tmpdir(), "rdg-chaos-"));
  const flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  // Whoever is not root is root in there, where the system lets users do so.
  const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  // Names of network namespaces are mounts: they shall be seen in here alone.
  const begin = 'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && exec "$@"';
  const own = ["sh", "-ec", begin, "sh", process.execPath, "--conditions=rdg-source", program, ...args];
  try {
    // Standard input is the program's hold on this process: it ends when that does.
    const child = spawn("unshare", [...asRoot, ...flags, "--", ...own], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...quickStarts(temporary), TMPDIR: temporary, [faketimeVariable]: faketime },
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", () => reject(missing("unshare (Debian: util-linux)")));
      child.once("close", resolve);
    });
    for (const output of [child.stdout, child.stderr]) createInterface({ input: output }).on("line", onLine);
    return await ended;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Processes are started again and again: what they compile is kept, and Java compiles less. */
function quickStarts(folder: string): NodeJS.ProcessEnv {
  return { NODE_COMPILE_CACHE: join(folder, "compiled"), JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1" };
}

/** Debian has it under the name of the machine. */
async function faketimeLibrary(): Promise<string> {
  const file = "faketime/libfaketimeMT.so.1";
  const machines = await readdir("/usr/lib").catch((): string[] => []);
  for (const folder of ["/usr/lib", ...machines.map((machine) => join("/usr/lib", machine))]) {
    const found = await readdir(join(folder, "faketime")).catch((): string[] => []);
    if (found.includes("libfaketimeMT.so.1")) return join(folder, file);
  }
  throw missing("libfaketime, with which the clocks of test hosts are wrong (Debian: libfaketime)");
}

const missing = (what: string): Error =>
  new Error(`This machine lacks ${what}: chaos needs it, beside ip (Debian: iproute2), and Linux.`);
