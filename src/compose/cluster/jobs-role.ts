// The jobs of a definition in this process. They wait for nobody: what they publish is in the log, and stores follow at their own speed.
import type { Downstream } from "../../jobs/runner/job-attempt.ts";
import type { RunningJobStatus } from "../../jobs/runner/job-runner.ts";
import type { SideInputStatus } from "../../jobs/runner/side-inputs.ts";
import { openJobRunners, type JobRunnersOptions } from "../job-runners.ts";

export interface JobsRole {
  start(): Promise<void>;
  status(): Promise<readonly RunningJobStatus[]>;
  sideInputs(): readonly SideInputStatus[];
  /** Publishes what is open, and gives the jobs to whoever takes them. */
  close(): Promise<void>;
}

const unbounded: Downstream = { published: () => undefined, throttle: () => undefined };

export async function openJobsRole(options: Omit<JobRunnersOptions, "downstream">): Promise<JobsRole> {
  const { runners, sideInputs } = await openJobRunners({ ...options, downstream: unbounded });
  const paused = options.settings["jobs.paused"].split(",");
  return {
    async start() {
      for (const runner of runners) {
        if (paused.includes(runner.event)) await runner.pause();
        runner.start();
      }
    },
    status: () => Promise.all(runners.map((runner) => runner.status())),
    sideInputs: () => sideInputs.status(),
    async close() {
      await Promise.all(runners.map((runner) => runner.stop("now")));
      await sideInputs.close();
    },
  };
}
