// The errors of the embedded log that more than one of its files raises.
import { describeError, RdgError } from "../../core/errors.ts";

export function logClosed(): RdgError {
  return new RdgError("closed", "log_closed", "The log was closed.", { hint: "Open it again." });
}

/** What a failing file system makes of a call that is neither an append nor a commit. Errors of our own stay as they are. */
export function fileFailed(cause: unknown, doing: string, place: string): RdgError {
  if (cause instanceof RdgError) return cause;
  const code = isFull(cause) ? "disk_full" : "log_file_failed";
  return new RdgError("unavailable", code, `The log could not ${doing}: ${describeError(cause)}.`, {
    place,
    hint: "Check that the disk works and has room, and that the folder belongs to this user; then try again.",
    cause,
  });
}

function isFull(cause: unknown): boolean {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return code === "ENOSPC" || code === "EDQUOT";
}

export function writeFailed(cause: unknown, path: string, syncFailed: boolean, retryAfterMs: number): RdgError {
  if (cause instanceof RdgError && cause.kind === "corrupt") {
    return new RdgError("unavailable", "log_damaged", `The log takes nothing: ${describeError(cause)}`, {
      place: cause.place,
      hint: "Stop RDG and check the disk; what was acknowledged before this is reported at the next start.",
      retryAfterMs,
      cause,
    });
  }
  if (isFull(cause)) {
    return new RdgError("unavailable", "disk_full", "The log takes nothing: its disk is full.", {
      place: path,
      hint: "Free some space, or shorten the retention of large topics; appends go on by themselves then.",
      retryAfterMs,
      cause,
    });
  }
  const what = syncFailed ? "make a write durable" : "write";
  return new RdgError("unavailable", "log_write_failed", `The log could not ${what}: ${describeError(cause)}.`, {
    place: path,
    hint: "Nothing of it counts as stored. The log checks its file and tries again; if this goes on, the disk is failing.",
    retryAfterMs,
    cause,
  });
}
