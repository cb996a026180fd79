// An RDG in a child process that a test may kill at any moment and start again on the same data.
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const crashGraph = fileURLToPath(new URL("graph.ts", import.meta.url));
const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  /** What it wrote to stderr. */
  readonly messages: string;
}

export class ServerProcess {
  readonly #data: string;
  readonly #graph: string;
  #child: ChildProcess | undefined;
  #url: string | undefined;
  #messages = "";
  #ended: Promise<Ended> | undefined;

  /** @param graph path of the definition */
  constructor(data: string, graph: string = crashGraph) {
    this.#data = data;
    this.#graph = graph;
  }

  /** Of the process; undefined before the first start. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How the process that was started last ends. */
  get ended(): Promise<Ended> {
    return this.#ended!;
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
    this.#messages = "";
    child.stderr.on("data", (chunk: Buffer) => (this.#messages += chunk.toString("utf8")));
    this.#ended = new Promise((resolve) => {
      child.once("close", (code) => resolve({ code, messages: this.#messages }));
    });
    for await (const line of createInterface({ input: child.stdout })) {
      this.#url = (JSON.parse(line) as { url: string }).url;
      return true;
    }
    if (!child.killed) throw new Error(`The server ended by itself:\n${this.#messages}`);
    return false;
  }

  /** Resolves when it has written this to stderr. */
  async said(text: RegExp): Promise<void> {
    while (!text.test(this.#messages)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Sends a signal; resolves when the process is gone. */
  stop(signal: NodeJS.Signals): Promise<Ended> {
    this.#child!.kill(signal);
    return this.#ended!;
  }

  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    this.#url = undefined;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await this.stop(signal);
  }
}
