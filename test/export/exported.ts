// Exports of stores, for tests.
import { tmpdir } from "node:os";
import type { Clock } from "../../src/core/clock.ts";
import { canonicalFile } from "../../src/export/canonical-file.ts";
import { type ExportPart, readExport } from "../../src/export/read-export.ts";
import { scanExport } from "../../src/export/scan-export.ts";
import { type SortOptions, type SortedExport, sortExport } from "../../src/export/sort-export.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import { fingerprintOf } from "../../src/model/fingerprint.ts";
import type { Store } from "../../src/store/port.ts";

export interface Exported {
  readonly model: GraphModel;
  readonly store: Store;
  readonly clock: Clock;
}

export function sortedOf(of: Exported, options: Partial<SortOptions> = {}): Promise<SortedExport> {
  const { model } = of;
  return sortExport(scanExport({ ...of, fingerprint: fingerprintOf(model) }), { model, folder: tmpdir(), ...options });
}

/** The canonical file. */
export async function canonicalOf(of: Exported, options: Partial<SortOptions> = {}): Promise<string> {
  const sorted = await sortedOf(of, options);
  try {
    return Buffer.concat([...canonicalFile(sorted, false)]).toString();
  } finally {
    sorted.close();
  }
}

/** Reads bytes that come in pieces of this size. */
export async function partsOf(bytes: Uint8Array, pieceBytes = 1_000): Promise<ExportPart[]> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const parts: ExportPart[] = [];
  for await (const part of readExport(chunks())) parts.push(part);
  return parts;
}

export function linesOf(parts: readonly ExportPart[]): string[] {
  return parts.flatMap((part) => (part.kind === "lines" ? part.lines : []));
}
