// Read your writes: a question waits until the positions that it names are applied.
import { RdgError } from "../core/errors.ts";
import type { Position } from "../model/position.ts";

/** Resolves with true once the store has applied the positions, with false after `timeoutMs`. */
export type WaitFor = (positions: readonly Position[], timeoutMs: number, signal: AbortSignal) => Promise<boolean>;

/** @throws RdgError unavailable, `not_applied_yet` */
export async function requireApplied(
  waitFor: WaitFor,
  positions: readonly Position[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (positions.length === 0 || (await waitFor(positions, timeoutMs, signal))) return;
  throw new RdgError("unavailable", "not_applied_yet", `The positions were not applied within ${timeoutMs} ms.`, {
    place: "/waitFor",
    hint: "Ask again, with a longer timeoutMs, or without waitFor for what is there now.",
    retryAfterMs: 1_000,
  });
}
