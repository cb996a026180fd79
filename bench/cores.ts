// Keeps a server and what is sent to it on cores of their own, where the system has taskset: who shares a core with its load answers when that has had its turn.
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";

export interface Cores {
  readonly serverCores: number;
  /** Commands to put before others, which keep them apart. */
  readonly server: readonly string[];
  readonly sender: readonly string[];
}

/** The last core is the sender's, and this process's with whatever it starts from now on; the others are the server's. Where there is one only, all share it. */
export function separateCores(): Cores {
  const all = cpus().length;
  const together = { serverCores: all, server: [], sender: [] };
  if (all < 2) return together;
  try {
    execFileSync("taskset", ["-acp", String(all - 1), String(process.pid)], { stdio: "ignore" });
  } catch {
    return together;
  }
  const [first, last] = [all === 2 ? "0" : `0-${all - 2}`, String(all - 1)];
  return { serverCores: all - 1, server: ["taskset", "-c", first], sender: ["taskset", "-c", last] };
}
