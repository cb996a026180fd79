// One client that asks one question after the other and notes how long each answer takes; also as a process of its own, so that load in the same process does
// not make it late.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { TraverseRequest } from "../src/model/traversal.ts";
import { HttpConnection, httpBytes } from "./http-connection.ts";

export interface Questions {
  /** `127.0.0.1:7400` */
  readonly address: string;
  /** Traversals, asked in turn, again and again. */
  readonly requests: readonly TraverseRequest[];
  /** How many are asked, the first `warmUp` of which do not count. */
  readonly count: number;
  readonly warmUp: number;
  readonly pauseMs: number;
}

/** Milliseconds from sending to the end of the answer, in order of asking; ends early once `until` has resolved. */
export async function askOneByOne(questions: Questions, until?: Promise<unknown>): Promise<number[]> {
  const { address, requests, count, warmUp, pauseMs } = questions;
  const bytes = requests.map((request) => httpBytes({ kind: "traverse", request }, address));
  const connection = new HttpConnection(address);
  const milliseconds: number[] = [];
  const state = { isOver: false };
  void until?.then(() => (state.isOver = true));
  for (let i = 0; i < count && !state.isOver; i++) {
    const startedMs = performance.now();
    const status = await new Promise<number>((resolve) => connection.send(bytes[i % bytes.length]!, resolve));
    if (status !== 200) throw new Error(`A traversal was answered ${status}.`);
    if (i >= warmUp) milliseconds.push(performance.now() - startedMs);
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  connection.close();
  return milliseconds;
}

/** The same in a process of its own, until `until` has resolved. */
export async function askBeside(questions: Questions, until: Promise<unknown>): Promise<number[]> {
  const child = fork(fileURLToPath(import.meta.url));
  try {
    child.send(questions);
    await until;
    child.send("stop");
    const [milliseconds] = (await once(child, "message")) as [number[]];
    return milliseconds;
  } finally {
    child.kill("SIGKILL");
  }
}

async function serve(questions: Questions): Promise<void> {
  process.send!(await askOneByOne(questions, once(process, "message")));
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  void once(process, "message").then(([questions]) => serve(questions as Questions));
}
