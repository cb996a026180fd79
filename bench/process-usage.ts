// What the kernel says that a process has used: CPU of all its threads, memory, bytes written. Linux only.
import { readFileSync } from "node:fs";

export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Bytes that the process caused to be written to storage. */
  readonly writtenBytes: number;
}

const ticksPerSecond = 100;
const pageBytes = 4096;

export function usageOf(pid: number | "self"): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const io = readFileSync(`/proc/${pid}/io`, "utf8");
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentBytes: Number(fields[21]) * pageBytes,
    writtenBytes: Number(/^write_bytes: (\d+)$/m.exec(io)?.[1] ?? 0),
  };
}

export function usedBetween(before: ProcessUsage, after: ProcessUsage): ProcessUsage {
  return {
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    residentBytes: after.residentBytes,
    writtenBytes: after.writtenBytes - before.writtenBytes,
  };
}

/** CPU of the thread that the process began with. */
export function mainThreadCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
