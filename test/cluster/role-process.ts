// Processes of a cluster for tests: `rdg start` in child processes that a test may kill, pause and start again on the same port and data.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isListening } from "../../scripts/cluster/ports.ts";
import { systemRandom } from "../../src/core/random.ts";
import { at, here, type Place } from "./place.ts";

const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface ClusterFlags {
  /** Path of the definition. */
  readonly graph: string;
  readonly bootstrap: string;
  readonly prefix: string;
  /** Missing: the process has the role registry itself. */
  readonly registryUrl?: string;
}

export class RoleProcess {
  readonly url: string;
  readonly role: string;
  readonly #place: Place;
  readonly #args: readonly string[];
  readonly #data: string;
  #child: ChildProcess | undefined;
  #messages = "";
  #ended: Promise<number | null> = Promise.resolve(null);

  private constructor(
    role: string,
    flags: ClusterFlags,
    { data, port, place }: { readonly data: string; readonly port: number; readonly place: Place },
    more: readonly string[],
  ) {
    this.role = role;
    this.url = `http://${place.address}:${port}`;
    this.#place = place;
    this.#data = data;
    const where = ["--kafka-bootstrap", flags.bootstrap, "--kafka-prefix", flags.prefix];
    const registry = flags.registryUrl === undefined ? [] : ["--registry-url", flags.registryUrl];
    const address = ["--host", place.address, "--port", String(port), "--grpc-port", "off"];
    const own = ["--role", role, "--data", data, ...address, "--json"];
    this.#args = ["start", flags.graph, ...own, ...where, ...registry, "--log-level", "warn", ...more];
  }

  /** Its port and folder stay the same whenever it is started. */
  static async prepare(
    role: string,
    flags: ClusterFlags,
    more: readonly string[] = [],
    place: Place = here,
  ): Promise<RoleProcess> {
    const data = await mkdtemp(join(tmpdir(), "rdg-role-"));
    return new RoleProcess(role, flags, { data, port: await portToKeep(), place }, more);
  }

  static async start(role: string, flags: ClusterFlags, more: readonly string[] = []): Promise<RoleProcess> {
    const started = await RoleProcess.prepare(role, flags, more);
    await started.start();
    return started;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const { command, args } = at(this.#place, process.execPath, ["--conditions=rdg-source", cli, ...this.#args]);
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...this.#place.environment },
    });
    this.#child = child;
    this.#messages = "";
    child.stderr.on("data", (chunk: Buffer) => (this.#messages += chunk.toString("utf8")));
    this.#ended = new Promise((resolve) => {
      child.once("close", resolve);
    });
    for await (const _line of createInterface({ input: child.stdout })) return;
    throw new Error(`${this.role} ended before it was ready:\n${this.#messages}`);
  }

  /** What it wrote to stderr since it was started. */
  get messages(): string {
    return this.#messages;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal; resolves with the exit code, null when the signal ended it. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    if (this.isRunning) this.#child!.kill(signal);
    return await this.#ended;
  }

  /** It does nothing until it is resumed. */
  pause(): void {
    this.#child!.kill("SIGSTOP");
  }

  resume(): void {
    this.#child!.kill("SIGCONT");
  }

  /** Ends it however it is, and removes its data. */
  async dispose(): Promise<void> {
    await this.stop("SIGKILL");
    await rm(this.#data, { recursive: true, force: true });
  }
}

/** Free now and after a restart: below the ports that systems give to outgoing connections, of which there are many here. */
async function portToKeep(): Promise<number> {
  for (;;) {
    const port = 20_000 + systemRandom.below(12_000);
    if (!(await isListening(port))) return port;
  }
}
