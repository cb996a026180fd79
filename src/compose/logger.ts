// Structured messages on stderr, one JSON line each; never per record.
import { destination, pino, type Logger } from "pino";
import { systemClock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";

export type { Logger } from "pino";

const levels = ["debug", "info", "warn", "error", "silent"];

/** @throws RdgError invalid, `bad_setting` */
export function createLogger(level: string): Logger {
  if (!levels.includes(level)) {
    throw new RdgError("invalid", "bad_setting", `Setting "log.level" is "${level}".`, {
      hint: `Take one of ${levels.join(", ")}.`,
    });
  }
  return pino(
    { level, base: null, timestamp: () => `,"time":"${new Date(systemClock.now()).toISOString()}"` },
    destination(2),
  );
}
