// The last line of an export, whose checksum covers all that stands before it, the rest of the line included.
import type { Hash } from "node:crypto";
import type { ExportEnd } from "./port.ts";

/** `,"sha256":"` and 64 digits, `"}` and a line feed. */
export const checksumBytes = 78;

/** @param sha256 has got all lines before */
export function endLine(end: Omit<ExportEnd, "sha256">, sha256: Hash): Uint8Array {
  const start = JSON.stringify(end).slice(0, -1);
  return Buffer.from(`${start},"sha256":"${sha256.update(start).digest("hex")}"}\n`);
}
