// Runs what was started until SIGTERM or Ctrl-C, or until it fails by itself. SIGHUP makes it read keys and certificates anew.
import type { RunningRdg } from "../compose.ts";
import { systemTimers } from "../core/clock.ts";
import { exitCodes, say } from "./output.ts";

export interface RunningOptions {
  readonly start: () => Promise<RunningRdg>;
  /** Called once it is ready. */
  readonly ready: (running: RunningRdg) => void;
  /** What it does when it is told to stop, as the person at the terminal reads it. */
  readonly stopping: string;
}

/** After everything was closed: what a library has left open all the same, such as a connection that it was just making, keeps no process. */
const lingersMs = 1_000;

/** Resolves with the exit code; the process ends soon after. @throws the cause when it failed */
export async function runUntilStopped({ start, ready, stopping }: RunningOptions): Promise<number> {
  const stopped = nextSignal();
  const running = await start();
  // A start that fails is told by `failed`.
  const started = running.ready.then(
    () => true,
    () => false,
  );
  const reload = (): void => void running.reload();
  // Without a terminal: with one it says that the terminal is gone, which ends the process.
  if (!process.stdin.isTTY) process.on("SIGHUP", reload);
  if ((await Promise.race([stopped, started])) === true) ready(running);
  const cause = await Promise.race([stopped, running.failed]);
  if (typeof cause === "string") say(`${cause}: ${stopping} (press Ctrl-C again to stop at once)`);
  void nextSignal().then(() => process.exit(exitCodes.failure));
  try {
    if (typeof cause === "string") {
      await running.close();
      return exitCodes.ok;
    }
    // The cause is what to tell, not what else cannot go on because of it.
    await running.close().catch(() => undefined);
    throw cause;
  } finally {
    systemTimers.after(lingersMs, () => process.exit());
  }
}

/** Resolves with the name of the next SIGINT or SIGTERM. */
function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    const signals = ["SIGINT", "SIGTERM"] as const;
    const listener = (signal: string): void => {
      for (const name of signals) process.removeListener(name, listener);
      resolve(signal);
    };
    for (const name of signals) process.on(name, listener);
  });
}
