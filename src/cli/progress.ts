// Progress of a long command on a terminal: count, rate and, where the end is known, a bar with the remaining time. Silent when stderr is redirected.
import { SingleBar } from "cli-progress";
import { systemClock } from "../core/clock.ts";

export interface Progress {
  add(records: number, bytes: number): void;
  stop(): void;
}

const redrawMs = 200;

export function startProgress(unit: string, totalBytes: number | undefined): Progress {
  if (process.stderr.isTTY !== true) return { add: () => undefined, stop: () => undefined };
  return totalBytes === undefined ? counting(unit) : bar(unit, totalBytes);
}

function bar(unit: string, totalBytes: number): Progress {
  const startMs = systemClock.monotonicMs();
  let records = 0;
  const drawn = new SingleBar({
    format: `{bar} {percentage}% | {records} ${unit} | {rate}/s | {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
  });
  drawn.start(totalBytes, 0, { records: 0, rate: 0 });
  return {
    add(added, bytes) {
      records += added;
      drawn.increment(bytes, { records, rate: rateOf(records, startMs) });
    },
    stop: () => drawn.stop(),
  };
}

function counting(unit: string): Progress {
  const startMs = systemClock.monotonicMs();
  let records = 0;
  let drawnMs = 0;
  const draw = (): void => {
    process.stderr.write(`\r${records} ${unit} | ${rateOf(records, startMs)}/s `);
  };
  return {
    add(added) {
      records += added;
      const nowMs = systemClock.monotonicMs();
      if (nowMs - drawnMs < redrawMs) return;
      drawnMs = nowMs;
      draw();
    },
    stop() {
      draw();
      process.stderr.write("\n");
    },
  };
}

const rateOf = (records: number, startMs: number): number =>
  Math.round(records / Math.max(0.001, (systemClock.monotonicMs() - startMs) / 1000));
