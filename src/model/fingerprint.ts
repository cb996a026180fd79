// The canonical form of a definition and its fingerprint: equal definitions have equal texts, wherever they were made. Runs in browsers too.
import { sha256Hex } from "../core/sha256.ts";
import type { GraphModel } from "./definition.ts";

/** JSON without blanks, names of objects in code unit order. Lists keep their order: it names types and orders enums. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, content]) => content !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, content]) => `${JSON.stringify(name)}:${canonicalJson(content)}`).join(",")}}`;
}

/** SHA-256 of the canonical form, 64 hexadecimal digits. */
export function fingerprintOf(model: GraphModel): string {
  return sha256Hex(new TextEncoder().encode(canonicalJson(model)));
}
