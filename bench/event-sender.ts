// The process that sends events, on a core of its own where there is more than one: what it uses up is not the server's. It makes its events before it is measured.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import { bodiesOf, eventsPerBody } from "./bodies.ts";
import {
  type ClosedLoopOptions,
  type OpenLoopOptions,
  type OpenLoopResult,
  sendAtRate,
  sendSteadily,
} from "./open-loop.ts";

type Load<Options> = Omit<Options, "url" | "bodies"> & { readonly url: string };

export type SenderJob =
  | { readonly kind: "prepare"; readonly requests: number }
  | ({ readonly kind: "closed" } & Load<ClosedLoopOptions>)
  | ({ readonly kind: "open" } & Load<OpenLoopOptions>);

export interface SenderAnswer extends OpenLoopResult {
  /** Cores that the sender kept busy. */
  readonly cpuCores: number;
}

export interface EventSender {
  /** Makes the events that the next load sends, each of them new. */
  prepare(requests: number): Promise<void>;
  run(job: SenderJob): Promise<SenderAnswer>;
  stop(): void;
}

/** @param pin the command that has the process run where it should */
export function startEventSender(pin: readonly string[]): EventSender {
  const [command, ...args] = [...pin, process.execPath];
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), {
    execPath: command,
    execArgv: [...args, "--conditions=rdg-source"],
    serialization: "advanced",
  });
  const ask = async <T>(job: SenderJob): Promise<T> => {
    const ended = new AbortController();
    child.once("exit", () => ended.abort(new Error("The sender ended.")));
    child.send(job);
    const [answer] = (await once(child, "message", { signal: ended.signal })) as [T];
    return answer;
  };
  return {
    prepare: (requests) => ask({ kind: "prepare", requests }),
    run: (job) => ask(job),
    stop: () => void child.kill("SIGKILL"),
  };
}

function serve(): void {
  const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000 });
  let bodies: Uint8Array[] = [];
  const run = async (job: SenderJob): Promise<SenderAnswer | true> => {
    if (job.kind === "prepare") {
      bodies = bodiesOf(generator, job.requests * eventsPerBody);
      return true;
    }
    const before = process.cpuUsage();
    const options = { ...job, url: new URL(job.url), bodies };
    const result = "inFlight" in options ? await sendSteadily(options) : await sendAtRate(options);
    const { user, system } = process.cpuUsage(before);
    return { ...result, cpuCores: Number(((user + system) / 1e6 / result.wallSeconds).toFixed(2)) };
  };
  process.on("message", (job) => {
    void run(job as SenderJob).then((answer) => process.send!(answer));
  });
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) serve();
