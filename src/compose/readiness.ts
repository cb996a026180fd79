// Whether requests should come here, and what is the matter even where they should.
import type { Readiness } from "../serve/operation-routes.ts";
import type { PipelineStatus } from "./pipeline-control.ts";

export type Phase = "catching up" | "serving" | "closing";

/** Reads go on while events are refused or a job fails: that is told, and no reason to send readers elsewhere. */
export async function readinessOf(phase: Phase, status: () => Promise<PipelineStatus>): Promise<Readiness> {
  if (phase === "closing") return notReady("The server is shutting down.");
  if (phase === "catching up") return notReady("The graph is catching up with the log.");
  let pipeline: PipelineStatus;
  try {
    pipeline = await status();
  } catch (error) {
    return notReady(`The pipeline does not answer: ${(error as Error).message}`);
  }
  const { refusing, jobs, log } = pipeline;
  const warnings = [
    ...(refusing === undefined ? [] : [`Events are refused: ${refusing}`]),
    ...jobs
      .filter(({ state }) => state === "retrying" || state === "stopped")
      .map(({ event, state, cause }) => `The job of ${event} is ${state}${cause === undefined ? "." : `: ${cause}`}`),
    ...[...log.partitions, { ...log.journal, topic: "journal", partition: 0 }].flatMap(
      ({ topic, partition, failure }) =>
        failure === undefined ? [] : [`Writing ${topic}/${partition} fails: ${failure}`],
    ),
  ];
  return { ready: true, ...(warnings.length > 0 ? { warnings } : {}) };
}

function notReady(reason: string): Readiness {
  return { ready: false, reason };
}
