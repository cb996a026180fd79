// Runs a command to its end, and ends it when it takes too long or the test does.
import { spawn } from "node:child_process";

export interface RunOptions {
  readonly timeoutMs: number;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Ran {
  /** null when it was ended. */
  readonly code: number | null;
  readonly stdout: string;
  /** Both, as they came. */
  readonly output: string;
}

export async function run(command: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  const { timeoutMs, stdin, env, cwd } = options;
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    ...(cwd === undefined ? {} : { cwd }),
  });
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, output }));
  });
}
