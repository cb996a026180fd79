// The manifest of a checkpoint: a small text file that, once it is in place under its name, makes the checkpoint exist.
//
// checkpoint-<number>.json: the line `rdg-store-checkpoint <format> <crc32 of the rest in hex>`, then JSON. It names its file of pages, pages-<number>.bin, which
// is nothing but the pages one after another; the manifest has the size and crc32 of each.
import { crc32 } from "node:zlib";
import { RdgError } from "../../core/errors.ts";
import type { GraphState } from "./checkpoint-parts.ts";

/** Raised when the manifest's shape or the order of pages changes. */
const checkpointFormat = 1;

export interface PageTable {
  readonly name: string;
  readonly sizes: readonly number[];
  readonly checksums: readonly number[];
}

export interface Manifest {
  readonly number: number;
  readonly layout: string;
  readonly pages: readonly PageTable[];
  readonly state: GraphState;
}

const magic = "rdg-store-checkpoint";

export const manifestName = (number: number): string => `checkpoint-${String(number).padStart(8, "0")}.json`;
export const pagesName = (number: number): string => `pages-${String(number).padStart(8, "0")}.bin`;

/** The number in a file's name of either kind; undefined for other files. */
export function numberIn(fileName: string): number | undefined {
  const match = /^(?:checkpoint-(?<manifest>\d{8,15})\.json|pages-(?<pages>\d{8,15})\.bin)(?:\.new)?$/.exec(fileName);
  const digits = match?.groups?.["manifest"] ?? match?.groups?.["pages"];
  return digits === undefined ? undefined : Number(digits);
}

export function formatManifest(manifest: Manifest): string {
  const body = JSON.stringify(manifest);
  return `${magic} ${checkpointFormat} ${crc32(body).toString(16).padStart(8, "0")}\n${body}\n`;
}

/** @throws RdgError corrupt: `checkpoint_damaged`, `checkpoint_format_unknown` */
export function parseManifest(text: string, path: string): Manifest {
  const end = text.indexOf("\n");
  const [head, format, checksum] = text.slice(0, Math.max(end, 0)).split(" ");
  if (head === magic && format !== String(checkpointFormat)) {
    throw new RdgError(
      "corrupt",
      "checkpoint_format_unknown",
      `The checkpoint has format ${format}; this version reads format ${checkpointFormat}.`,
      {
        place: path,
        hint: "Start the version of RDG that wrote it, or move the store's folder away: the graph is then rebuilt from the log.",
      },
    );
  }
  const body = text.slice(end + 1, -1);
  if (head !== magic || !text.endsWith("\n") || crc32(body).toString(16).padStart(8, "0") !== checksum)
    throw damaged(path, "its manifest");
  return JSON.parse(body) as Manifest;
}

export function damaged(path: string, what: string, cause?: unknown): RdgError {
  return new RdgError("corrupt", "checkpoint_damaged", `A checkpoint of the store is damaged: ${what}.`, {
    place: path,
    hint: "Nothing is lost while the log is there: move the store's folder away, and the graph is rebuilt from the log.",
    cause,
  });
}
