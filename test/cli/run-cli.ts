// Runs the command line as a child process, to its end or until it is told to stop.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function start(args: readonly string[], { cwd, env }: RunOptions): ChildProcess {
  return spawn(process.execPath, ["--conditions=rdg-source", cli, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options);
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
  child.stdin?.end(options.input ?? "");
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

/** A running `rdg dev`. */
export class Dev {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  static async start(args: readonly string[], options: RunOptions): Promise<Dev> {
    const child = start(["dev", "--port", "0", "--json", "--log-level", "error", ...args], options);
    let err = "";
    child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
    for await (const line of createInterface({ input: child.stdout! })) {
      return new Dev(child, (JSON.parse(line) as { url: string }).url);
    }
    throw new Error(`rdg dev ended:\n${err}`);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves with the exit code; null when a signal ended it. */
  async stop(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    this.#child.kill(signal);
    const [code] = (await once(this.#child, "exit")) as [number | null];
    return code;
  }
}
