// Paths of a repository as ids of files and folders. Git's paths are bytes; ids are text of at most 1 KiB.
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";

const slash = 47;
const quote = 34;
const idBytesMax = 1024;
const keptBytesMax = 900;

/** The folder that holds everything. */
export const rootFolder = ".";

/** A path as text. Names that are no UTF-8 are written as git quotes them (`"caf\351.txt"`), so that two paths never become one. */
export function joinPath(bytes: Buffer): string {
  if (isUtf8(bytes) && bytes[0] !== quote && !bytes.includes('/"')) return bytes.toString();
  const names: string[] = [];
  for (let start = 0; start <= bytes.length;) {
    const found = bytes.indexOf(slash, start);
    const end = found < 0 ? bytes.length : found;
    names.push(nameOf(bytes.subarray(start, end)));
    start = end + 1;
  }
  return names.join("/");
}

function nameOf(bytes: Buffer): string {
  // A name that begins with a quote is quoted too: it could be taken for a quoted one.
  if (isUtf8(bytes) && bytes[0] !== quote) return bytes.toString();
  let text = "";
  for (const byte of bytes) {
    if (byte === quote || byte === 92) text += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
    else text += `\\${byte.toString(8).padStart(3, "0")}`;
  }
  return `"${text}"`;
}

/** The text as an id: itself, or, when it is longer than an id may be, its beginning and a hash of the whole. */
export function idOf(text: string): string {
  if (text.length * 3 <= idBytesMax || Buffer.byteLength(text) <= idBytesMax) return text;
  const kept = new TextDecoder().decode(Buffer.from(text).subarray(0, keptBytesMax)).replace(/\uFFFD$/, "");
  return `${kept}…${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
}

/** The folder of a path, or of a folder; undefined for the root folder. */
export function folderOf(path: string): string | undefined {
  if (path === rootFolder) return undefined;
  const end = path.lastIndexOf("/");
  return end < 0 ? rootFolder : path.slice(0, end);
}
