// An RDG of the streaming example in a process of its own, with its data in a temporary folder.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface StreamingServer {
  readonly url: URL;
  /** `127.0.0.1:7401` */
  readonly grpc: string;
  readonly pid: number;
  readonly data: string;
  /** Milliseconds from the start of the process until it was ready. */
  readonly startMs: number;
  status(): Promise<StreamingStatus>;
  /** Resolves when everything accepted is in the graph. */
  settled(): Promise<void>;
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** What the benchmark reads of `/v1/status`. */
export interface StreamingStatus {
  readonly jobs: readonly {
    readonly event: string;
    readonly lagRecords: number;
    readonly counters: Record<string, number[]>;
  }[];
  readonly store: {
    readonly lagTransactions: number;
    readonly memoryBytes: number;
    readonly nodes: Record<string, number>;
    readonly edges: Record<string, number>;
  };
}

const graph = fileURLToPath(new URL("../examples/streaming/graph.ts", import.meta.url));
const cli = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));

export const temporaryData = (): Promise<string> => mkdtemp(join(tmpdir(), "rdg-bench-"));
export const removeData = (data: string): Promise<void> => rm(data, { recursive: true, force: true });

export interface StreamingServerOptions {
  readonly nodeFlags?: readonly string[];
  /** Settings as flags of `rdg dev`. */
  readonly flags?: readonly string[];
  /** A command before the server's own, such as one that has it run on some cores only. */
  readonly prefix?: readonly string[];
}

export async function startStreamingServer(
  data: string,
  options: StreamingServerOptions = {},
): Promise<StreamingServer> {
  const startedMs = performance.now();
  const { nodeFlags = [], flags = [], prefix = [] } = options;
  const own = ["--port", "0", "--data", data, "--json", "--log-level", "error"];
  const node = [process.execPath, ...nodeFlags, "--conditions=rdg-source"];
  const [command, ...args] = [...prefix, ...node, cli, "dev", graph, ...own, ...flags];
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"] });
  const { url, grpc } = JSON.parse(await firstLine(child)) as { url: string; grpc: string };
  const address = new URL(url);
  const status = async (): Promise<StreamingStatus> =>
    (await (await fetch(new URL("/v1/status", address))).json()) as StreamingStatus;
  return {
    url: address,
    grpc,
    pid: child.pid!,
    data,
    startMs: performance.now() - startedMs,
    status,
    async settled() {
      for (;;) {
        const { jobs, store } = await status();
        if (store.lagTransactions === 0 && jobs.every(({ lagRecords }) => lagRecords === 0)) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    stop(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      child.kill(signal);
      return ended;
    },
  };
}

export async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout! });
  // What V8 traces (--trace-gc) comes on stdout, too.
  for await (const line of lines) if (!line.startsWith("[")) return line;
  throw new Error("The server ended before it was ready.");
}
