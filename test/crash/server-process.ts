// An RDG in a child process that a test may kill at any moment and start again on the same data.
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const crashGraph = fileURLToPath(new URL("graph.ts", import.meta.url));
const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export class ServerProcess {
  readonly #data: string;
  readonly #graph: string;
  #child: ChildProcess | undefined;
  #url: string | undefined;

  /** @param graph path of the definition */
  constructor(data: string, graph: string = crashGraph) {
    this.#data = data;
    this.#graph = graph;
  }

  /** Of the process; undefined before the first start. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Undefined while it is down. */
  get url(): string | undefined {
    return this.#url;
  }

  /** Resolves when it is ready; with false when it ended (was killed) before. */
  async start(flags: readonly string[] = []): Promise<boolean> {
    const args = [
      "--conditions=rdg-source",
      cli,
      "dev",
      this.#graph,
      "--port",
      "0",
      "--data",
      this.#data,
      "--json",
      ...flags,
    ];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    let messages = "";
    child.stderr.on("data", (chunk: Buffer) => (messages += chunk.toString("utf8")));
    for await (const line of createInterface({ input: child.stdout })) {
      this.#url = (JSON.parse(line) as { url: string }).url;
      return true;
    }
    if (!child.killed) throw new Error(`The server ended by itself:\n${messages}`);
    return false;
  }

  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    this.#url = undefined;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await ended;
  }
}
