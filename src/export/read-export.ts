// Reads an export, of whatever order, and proves that it is whole: that it ends with its end, whose counts and checksum fit what came before.
import { createHash } from "node:crypto";
import { RdgError } from "../core/errors.ts";
import { checksumBytes } from "./end-line.ts";
import { type ExportEnd, type ExportHeader, exportFormat, exportVersion } from "./port.ts";

/** In this order; `lines` any number of times, and to be believed only once the end has come. */
export type ExportPart =
  | { readonly kind: "header"; readonly header: ExportHeader }
  | { readonly kind: "lines"; readonly lines: readonly string[] }
  | { readonly kind: "end"; readonly end: ExportEnd };

/** An element has at most some megabytes; a file without line feeds is not ours. */
const lineBytesMax = 256 * 1024 * 1024;
const lineFeed = 0x0a;

/** @throws RdgError corrupt, `not_an_export`, `export_cut`, `export_damaged`; invalid, `export_version`; what a server says at the end of what it could not finish */
export async function* readExport(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ExportPart> {
  const sha256 = createHash("sha256");
  let header: ExportHeader | undefined;
  let end: ExportEnd | undefined;
  let elements = 0;
  for await (const whole of wholeLines(chunks)) {
    if (end !== undefined) throw damaged("Something stands behind its end.");
    const lines = whole.toString("utf8").split("\n");
    lines.pop();
    if (header === undefined) {
      header = headerOf(lines.shift()!);
      yield { kind: "header", header };
    }
    const last = lines.findIndex((line) => line.startsWith(`{"kind":"end"`) || line.startsWith(`{"error"`));
    if (last >= 0 && last < lines.length - 1) throw damaged("Something stands behind its end.");
    const ending = last < 0 ? undefined : lines.pop();
    sha256.update(ending === undefined ? whole : whole.subarray(0, -checksumBytes));
    elements += lines.length;
    if (lines.length > 0) yield { kind: "lines", lines };
    if (ending !== undefined) end = endOf(ending);
  }
  if (end === undefined) {
    const hint = "It was cut: export once more.";
    throw new RdgError("corrupt", "export_cut", `The export ends behind ${elements} elements, without its end.`, {
      hint,
    });
  }
  if (end.sha256 !== sha256.digest("hex")) throw damaged("Its checksum does not fit.");
  const counted = [...Object.values(end.nodes), ...Object.values(end.edges)].reduce((sum, count) => sum + count, 0);
  if (counted !== elements) throw damaged(`It has ${elements} elements and says that they are ${counted}.`);
  yield { kind: "end", end };
}

/** Pieces that end with a line feed; what stands behind the last one is lost, as a cut file's last line. */
async function* wholeLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const until = bytes.lastIndexOf(lineFeed) + 1;
    if (until === 0) {
      kept.push(bytes);
      keptBytes += bytes.length;
      if (keptBytes > lineBytesMax) throw notAnExport();
      continue;
    }
    const head = bytes.subarray(0, until);
    yield kept.length === 0 ? head : Buffer.concat([...kept, head]);
    kept = until === bytes.length ? [] : [bytes.subarray(until)];
    keptBytes = bytes.length - until;
  }
}

function headerOf(line: string): ExportHeader {
  const header = parsed(line) as Partial<ExportHeader>;
  if (header.kind !== "header" || header.format !== exportFormat) throw notAnExport();
  const version: unknown = header.version;
  if (version !== exportVersion) {
    const message = `The export has version ${String(version).slice(0, 20)} of the format; this version of rdg reads version ${exportVersion}.`;
    throw new RdgError("invalid", "export_version", message, {
      hint: "Read it with the version of rdg that wrote it.",
    });
  }
  return header as ExportHeader;
}

function endOf(line: string): ExportEnd {
  const end = parsed(line) as Partial<ExportEnd> & { readonly error?: { readonly detail?: string } };
  if (end.error !== undefined) {
    const message = `The server could not finish the export: ${end.error.detail ?? "it does not say why"}`;
    throw new RdgError("unavailable", "export_failed", message, { hint: "Export once more." });
  }
  if (typeof end.sha256 !== "string" || typeof end.nodes !== "object" || typeof end.edges !== "object") {
    throw damaged("Its end lacks something.");
  }
  return end as ExportEnd;
}

function parsed(line: string): object {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Said below.
  }
  throw notAnExport();
}

function notAnExport(): RdgError {
  return new RdgError("corrupt", "not_an_export", "This is no export of RDG.", {
    hint: "An export begins with a line that names its format and version.",
  });
}

function damaged(what: string): RdgError {
  return new RdgError("corrupt", "export_damaged", `The export is damaged. ${what}`, { hint: "Export once more." });
}
