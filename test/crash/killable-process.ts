// The parent's side of a child that runs RDG until it is killed.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Request } from "./killable.ts";

const entry = fileURLToPath(new URL("killable.ts", import.meta.url));
const compileCache = fileURLToPath(new URL("../../node_modules/.cache/crash", import.meta.url));

export interface Death {
  /** The step and moment at which its kill switch ended it. */
  readonly killedAt: string | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Asked {
  resolve(answer: Extract<Answer, { is: "done" }> | undefined): void;
  reject(error: Error): void;
}

export class KillableProcess {
  /** What it wrote to stderr. */
  messages = "";
  /** Resolves when it is gone. */
  readonly death: Promise<Death>;
  readonly #child: ChildProcess;
  readonly #loaded: Promise<void>;
  #dead = false;
  #output = "";
  #asked: Asked[] = [];
  #failure: Error | undefined;

  constructor() {
    this.#child = spawn(process.execPath, ["--conditions=rdg-source", entry], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache, NODE_OPTIONS: "" },
    });
    const child = this.#child;
    child.stdout!.on("data", (chunk: Buffer) => (this.#output += chunk.toString("utf8")));
    child.stderr!.on("data", (chunk: Buffer) => (this.messages += chunk.toString("utf8")));
    this.#loaded = new Promise((resolve) => {
      child.on("message", (answer: Answer) => (answer.is === "loaded" ? resolve() : this.#take(answer)));
      child.once("close", () => resolve());
    });
    this.death = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#dead = true;
        for (const asked of this.#asked) asked.resolve(undefined);
        this.#asked = [];
        resolve({ killedAt: this.#output === "" ? undefined : this.#output.trim(), code, signal });
      });
    });
  }

  get isDead(): boolean {
    return this.#dead;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves when it is done, with undefined when the process died before. @throws Error what RDG failed with */
  async ask(request: Request): Promise<Extract<Answer, { is: "done" }> | undefined> {
    await this.#loaded;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#dead) return undefined;
    return await new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      // The process may have died meanwhile: then its end answers.
      this.#child.send(request, () => undefined);
    });
  }

  /** Resolves when it is gone. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<Death> {
    if (!this.#dead) this.#child.kill(signal);
    return await this.death;
  }

  /** Answers come in the order of the requests: a child does one thing at a time. */
  #take(answer: Exclude<Answer, { is: "loaded" }>): void {
    if (answer.is === "done") return this.#asked.shift()?.resolve(answer);
    const error = new Error(`${answer.message}\n${this.messages}`);
    this.#failure = error;
    for (const asked of this.#asked) asked.reject(error);
    this.#asked = [];
  }
}
