// Ends the process with SIGKILL at a planned step: no handler, no finally, no flush runs.
import type { FileOperation, FileWatcher } from "./file-hooks.ts";
import { plainFs } from "./file-hooks.ts";
import { type KillPlan, type Moment, stepOf, type StepName } from "./steps.ts";

export class KillSwitch implements FileWatcher {
  /** What time it is besides the steps: `start-up`, `shut-down`. */
  period: StepName | undefined;
  /** Called last; a power failure happens here. */
  beforeDeath: () => void = () => undefined;
  readonly #watcher: FileWatcher;
  #plan: KillPlan | undefined;
  #hits = 0;

  /** @param watcher is told of every operation that is not the end */
  constructor(watcher: FileWatcher) {
    this.#watcher = watcher;
  }

  arm(plan: KillPlan | undefined): void {
    this.#plan = plan;
    this.#hits = 0;
  }

  before(operation: FileOperation, writePart?: () => void): Error | undefined {
    const error = this.#watcher.before(operation, writePart);
    if (error !== undefined) return error;
    for (const step of [stepOf(operation), this.period]) {
      this.#hit(step, "before");
      if (writePart !== undefined) this.#hit(step, "middle", writePart);
    }
    return undefined;
  }

  isShort(operation: FileOperation): boolean {
    return this.#watcher.isShort?.(operation) ?? false;
  }

  after(operation: FileOperation): void {
    this.#watcher.after(operation);
    for (const step of [stepOf(operation), this.period]) this.#hit(step, "after");
  }

  /** A step that is no change of a file has come. */
  hit(step: StepName, moment: Moment): void {
    this.#hit(step, moment);
  }

  #hit(step: StepName | undefined, moment: Moment, last: () => void = () => undefined): void {
    const plan = this.#plan;
    if (plan === undefined || plan.step !== step || plan.moment !== moment || ++this.#hits < plan.hit) return;
    last();
    this.beforeDeath();
    // On the pipe before the process is gone: it does not come back from the kill.
    plainFs.writeSync(1, `${step} ${moment}\n`);
    process.kill(process.pid, "SIGKILL");
  }
}
