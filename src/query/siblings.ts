// Reads that are made at the same time for one answer: when one of them fails, there will be no answer, and the others are given up.
import { RdgError } from "../core/errors.ts";

/**
 * Runs all of them, and waits for all, also when one fails: nothing may read on while its reader is closed.
 * @throws what the first failed with; the others' signals are aborted then
 */
export async function together<T>(
  signal: AbortSignal,
  reads: readonly ((signal: AbortSignal) => Promise<T>)[],
): Promise<T[]> {
  const group = new AbortController();
  const giveUp = (): void => group.abort(signal.reason);
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  let failure: { readonly error: unknown } | undefined;
  const failed = (error: unknown): void => {
    if (failure !== undefined) return;
    failure = { error };
    group.abort(new RdgError("unavailable", "sibling_failed", "What was read at the same time has failed."));
  };
  const answers = await Promise.all(
    reads.map((read) =>
      read(group.signal).catch((error: unknown) => {
        failed(error);
        return undefined;
      }),
    ),
  );
  signal.removeEventListener("abort", giveUp);
  if (failure !== undefined) throw failure.error;
  return answers as T[];
}
