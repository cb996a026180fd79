// What the rest of RDG asks of a running pipeline: start, pause, progress of the store, state. Arguments and answers are plain data, so it may live on another thread.
import type { Timers } from "../core/clock.ts";
import { RdgError, type ErrorKind } from "../core/errors.ts";
import { formatSize } from "../core/units.ts";
import type { ControlledGateway, GatewayStatistics } from "../gateway/gateway.ts";
import type { Backlog } from "../jobs/runner/backlog.ts";
import type { JobRunner, RunningJobStatus } from "../jobs/runner/job-runner.ts";
import type { SideInputs, SideInputStatus } from "../jobs/runner/side-inputs.ts";
import type { EmbeddedLog, EmbeddedLogStatistics } from "../log/embedded/log.ts";
import type { EmbeddedSettings } from "./settings.ts";

export interface PipelineControlParts {
  readonly log: EmbeddedLog;
  readonly gateway: ControlledGateway;
  readonly runners: readonly JobRunner[];
  readonly sideInputs: SideInputs;
  readonly backlog: Backlog;
  readonly settings: EmbeddedSettings;
  readonly timers: Timers;
}

export interface PipelineStatus {
  readonly jobs: readonly RunningJobStatus[];
  readonly sideInputs: readonly SideInputStatus[];
  readonly gateway: GatewayStatistics;
  readonly log: EmbeddedLogStatistics;
  /** Transactions that the store has not applied, and the bound at which jobs wait for it. */
  readonly backlog: Backlog["fill"];
  /** Bytes of events that running jobs have not processed, and the bound at which events are refused. */
  readonly lag: { readonly bytes: number; readonly bytesMax: number };
  /** Why events are refused, while they are. */
  readonly refusing: string | undefined;
}

/** An error as it crosses threads. */
export interface Refusal {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

const admissionEveryMs = 25;
/** Events are refused from this share of `gateway.lag` on: the rest is room for what is in flight and what comes between two looks. */
const lagRefusedAt = 0.7;
const retryAfterMs = 1000;

export class PipelineControl {
  readonly #parts: PipelineControlParts;
  readonly #runners: ReadonlyMap<string, JobRunner>;
  readonly #stopping = new AbortController();
  #storeRefusal: RdgError | undefined;
  #refusal: RdgError | undefined;

  constructor(parts: PipelineControlParts) {
    this.#parts = parts;
    this.#runners = new Map(parts.runners.map((runner) => [runner.event, runner]));
  }

  async start(): Promise<void> {
    const paused = this.#parts.settings["jobs.paused"].split(",").filter((event) => event !== "");
    for (const event of paused) await this.#runner(event).pause();
    for (const runner of this.#runners.values()) runner.start();
    void this.#watchAdmission();
  }

  /** The store has applied the transaction with this offset. */
  async applied(offset: number): Promise<void> {
    this.#parts.backlog.applied(offset);
  }

  /** The store takes no more, or goes on. */
  async setStoreRefusal(refusal: Refusal | undefined): Promise<void> {
    this.#storeRefusal =
      refusal === undefined
        ? undefined
        : new RdgError(refusal.kind, refusal.code, refusal.message, { hint: refusal.hint, retryAfterMs });
    this.#admit(this.#storeRefusal);
  }

  async pause(event: string): Promise<void> {
    await this.#runner(event).pause();
  }

  async resume(event: string): Promise<void> {
    this.#runner(event).resume();
  }

  async status(): Promise<PipelineStatus> {
    const { gateway, log, sideInputs } = this.#parts;
    return {
      jobs: await Promise.all([...this.#runners.values()].map((runner) => runner.status())),
      sideInputs: sideInputs.status(),
      gateway: gateway.statistics(),
      log: log.statistics(),
      backlog: this.#parts.backlog.fill,
      lag: { bytes: await this.#lagBytes(), bytesMax: this.#parts.settings["gateway.lag"] },
      refusing: this.#refusal?.message,
    };
  }

  async stop(how: "drain" | "now"): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#runners.values()].map((runner) => runner.stop(how)));
    await this.#parts.sideInputs.close();
  }

  #runner(event: string): JobRunner {
    const runner = this.#runners.get(event);
    if (runner !== undefined) return runner;
    throw new RdgError("not_found", "unknown_job", `No job reads the event "${event}".`, {
      hint: `Jobs read: ${[...this.#runners.keys()].join(", ")}.`,
    });
  }

  #admit(refusal: RdgError | undefined): void {
    this.#refusal = refusal;
    this.#parts.gateway.setUnavailable(refusal);
  }

  /** Refuses events while the running jobs are too far behind: they would be durable, but answers ever staler. */
  async #watchAdmission(): Promise<void> {
    const lagMax = this.#parts.settings["gateway.lag"];
    while (!this.#stopping.signal.aborted) {
      // Where the log cannot say now, what was decided last holds on.
      const lagBytes = await this.#lagBytes().catch(() => undefined);
      if (lagBytes !== undefined) this.#admitWith(lagBytes, lagMax);
      this.#admitInputs();
      await this.#parts.timers.sleep(admissionEveryMs, this.#stopping.signal).catch(() => undefined);
    }
  }

  #admitWith(lagBytes: number, lagMax: number): void {
    if (lagBytes > lagMax * lagRefusedAt) {
      const message = `The jobs are ${formatSize(lagBytes)} of events behind.`;
      this.#admit(this.#storeRefusal ?? new RdgError("overloaded", "jobs_behind", message, { retryAfterMs }));
    } else if (this.#refusal?.code === "jobs_behind" && lagBytes < lagMax / 2) this.#admit(this.#storeRefusal);
  }

  /** Rows of side inputs stay in memory for good, so there is nothing to wait for at the bound. */
  #admitInputs(): void {
    const { sideInputs, gateway, settings } = this.#parts;
    const sizeBytes = sideInputs.status().reduce((sum, input) => sum + input.sizeBytes, 0);
    if (sizeBytes <= settings["inputs.memory"]) return gateway.setInputsUnavailable(undefined);
    const message = `The rows of side inputs take ${formatSize(sizeBytes)} of memory.`;
    const hint = "Raise the setting inputs.memory and start again. Events go on.";
    gateway.setInputsUnavailable(new RdgError("unavailable", "inputs_full", message, { hint, retryAfterMs }));
  }

  async #lagBytes(): Promise<number> {
    let lagBytes = 0;
    for (const runner of this.#runners.values()) {
      if (!runner.isPaused) lagBytes += await runner.lagBytes();
    }
    return lagBytes;
  }
}
