// Starts the process that sends queries, and asks it for one run of load after the other.
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LoadFigures, LoadJob } from "./query-load.ts";

export interface LoadProcess {
  run(job: LoadJob): Promise<LoadFigures>;
  stop(): void;
}

export function startLoadProcess(): LoadProcess {
  const child: ChildProcess = fork(fileURLToPath(new URL("query-load.ts", import.meta.url)), {
    // It has one core: four helpers that collect its garbage would keep it from sending, and so would doing that often.
    execArgv: [...process.execArgv, "--v8-pool-size=1", "--max-semi-space-size=64"],
  });
  return {
    run: (job) =>
      new Promise((resolve, reject) => {
        const onExit = (): void => reject(new Error("The load's process ended."));
        child.once("exit", onExit);
        child.once("message", (answer: { figures?: LoadFigures; error?: string }) => {
          child.off("exit", onExit);
          if (answer.figures === undefined) reject(new Error(answer.error));
          else resolve(answer.figures);
        });
        child.send(job);
      }),
    stop: () => void child.kill("SIGKILL"),
  };
}
