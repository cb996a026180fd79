// Events as the JSON that the gateway takes. Hot path: per event.
import { formatBase64 } from "../model/avro/json-values.ts";

/** int64 as decimal text and bytes as base64; Dates are ISO 8601 by themselves. @throws TypeError where the value is no JSON */
export function eventJson(value: unknown): string {
  // A replacer is asked for every field, which costs more than all the rest.
  return isPlain(value) ? JSON.stringify(value) : JSON.stringify(value, replaced);
}

/** Whether nothing in it needs another form. */
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  for (const field of Object.values(value)) {
    if (typeof field === "bigint") return false;
    if (typeof field === "object" && field !== null && !(field instanceof Date)) return false;
  }
  return true;
}

function replaced(_name: string, inner: unknown): unknown {
  if (typeof inner === "bigint") return inner.toString();
  return inner instanceof Uint8Array ? formatBase64(inner) : inner;
}
