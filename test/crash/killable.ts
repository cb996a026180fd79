// A child process that runs RDG until it is killed: by its own kill switch at a planned step, or by its parent. It loads the product first and waits, so that
// the next one can be made ready while this one still runs.
import { flushCompileCache } from "node:module";
import { FileHooks, type FileOperation } from "./file-hooks.ts";
import { KillSwitch } from "./kill-switch.ts";
import type { KillableProduct, ProductOptions } from "./killable-product.ts";
import { PowerLoss } from "./power-loss.ts";
import type { KillPlan } from "./steps.ts";

/** What the parent asks for; every request is answered when it is done. */
export type Request =
  | ({
      readonly ask: "open";
      readonly kill?: KillPlan | undefined;
      readonly power?: PowerFailure | undefined;
      readonly fault?: Fault;
    } & ProductOptions)
  | { readonly ask: "arm"; readonly kill: KillPlan | undefined }
  | { readonly ask: "fail"; readonly fault: Fault | undefined }
  | { readonly ask: "advance"; readonly ms: number }
  | { readonly ask: "maintain" | "purge" | "close" };

export interface PowerFailure {
  readonly seed: number;
  /** For what was replaced or removed; on the same file system as the data. */
  readonly stash: string;
}

/** From now on, operations of this name fail with this code, or, `short`, write a part only. */
export interface Fault {
  readonly names: readonly FileOperation["name"][];
  readonly code: "ENOSPC" | "EIO" | "short";
  /** Only those in this folder of the data. */
  readonly within?: string;
}

export type Answer =
  | { readonly is: "loaded" }
  | { readonly is: "done"; readonly ask: Request["ask"]; readonly url?: string }
  | { readonly is: "failed"; readonly message: string };

function isMet({ names, within }: Fault, { name, path }: FileOperation): boolean {
  return names.includes(name) && (within === undefined || path.startsWith(`${within}/`));
}

let powerLoss: PowerLoss | undefined;
let fault: Fault | undefined;
const killSwitch = new KillSwitch({
  before(operation) {
    if (fault !== undefined && fault.code !== "short" && isMet(fault, operation)) {
      return Object.assign(new Error(`${fault.code}: planned, ${operation.name} '${operation.path}'`), {
        code: fault.code,
      });
    }
    return powerLoss?.before(operation);
  },
  after: (operation) => powerLoss?.after(operation),
  isShort: (operation) => fault?.code === "short" && isMet(fault, operation),
});
const hooks = new FileHooks();
hooks.install();
const [{ startProduct }, { seededRandom }] = await Promise.all([
  import("./killable-product.ts"),
  import("../../src/core/random.ts"),
]);
flushCompileCache();

let product: KillableProduct | undefined;

async function open(request: Extract<Request, { ask: "open" }>): Promise<void> {
  const { data, kill, power } = request;
  if (power !== undefined) {
    const loss = new PowerLoss(data, power.stash);
    powerLoss = loss;
    killSwitch.beforeDeath = () => loss.lose(seededRandom(power.seed));
  }
  fault = request.fault;
  hooks.watch(data, killSwitch);
  killSwitch.arm(kill);
  killSwitch.period = "start-up";
  product = await startProduct(request, killSwitch);
  killSwitch.period = undefined;
  void product.failed.then((error) => answer({ is: "failed", message: String(error) }));
}

async function fulfil(request: Request): Promise<void> {
  switch (request.ask) {
    case "open":
      return await open(request);
    case "arm":
      return killSwitch.arm(request.kill);
    case "fail":
      fault = request.fault;
      return;
    case "advance":
      return product!.advance(request.ms);
    case "maintain":
      return await product!.maintain();
    case "purge":
      return await product!.purge();
    case "close":
      killSwitch.period = "shut-down";
      await product!.close();
      // Nothing is left that keeps the process alive.
      return process.disconnect();
  }
}

function answer(message: Answer): void {
  if (process.connected) process.send!(message);
}

process.on("message", (request: Request) => {
  fulfil(request).then(
    () => answer({ is: "done", ask: request.ask, ...(request.ask === "open" ? { url: product!.url } : {}) }),
    (error: unknown) =>
      answer({ is: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
// Nobody is left to kill it.
process.on("disconnect", () => {
  if (killSwitch.period !== "shut-down") process.exit(1);
});
answer({ is: "loaded" });
