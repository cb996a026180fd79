// Binary content mode of CloudEvents' HTTP protocol binding: attributes as headers `ce-<name>`, the data as the body, its type as Content-Type.
import { isUtf8 } from "node:buffer";
import type { CloudEvent, EventProblem } from "./cloud-event.ts";
import { isJsonType } from "./cloud-event.ts";

const prefix = "ce-";

/**
 * Undefined when there is no attribute at all.
 * @param rawHeaders names and values in turn, as node:http gives them: values hold one byte per character
 */
export function readBinary(
  rawHeaders: readonly string[],
  contentType: string | undefined,
  body: Uint8Array,
): CloudEvent | undefined {
  const attributes = new Map<string, unknown>();
  let problem: EventProblem | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const header = rawHeaders[i]!.toLowerCase();
    if (!header.startsWith(prefix) || header === prefix) continue;
    const name = header.slice(prefix.length);
    const value = valueOf(rawHeaders[i + 1]!);
    if (attributes.has(name))
      problem ??= { code: "bad_attribute", reason: "the attribute is given twice", field: name };
    if (value === undefined) problem ??= { code: "bad_attribute", reason: "the attribute is not UTF-8", field: name };
    attributes.set(name, value ?? rawHeaders[i + 1]!);
  }
  if (attributes.size === 0) return undefined;
  if (contentType !== undefined) attributes.set("datacontenttype", contentType);
  return { attributes, data: dataOf(contentType, body), ...(problem && { problem }) };
}

/** Percent-encoded UTF-8. Quotes around the value, which older senders write, do not belong to it. */
function valueOf(header: string): string | undefined {
  const quoted = /^"(.*)"$/.exec(header);
  const plain = quoted ? quoted[1]!.replaceAll(/\\(.)/g, "$1") : header;
  const decoded = plain.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  const bytes = Buffer.from(decoded, "latin1");
  return isUtf8(bytes) ? bytes.toString() : undefined;
}

/** Bytes that should be JSON and are none stay bytes: where the data is used, that is told. */
function dataOf(contentType: string | undefined, body: Uint8Array): CloudEvent["data"] {
  if (body.length === 0) return undefined;
  if (!isJsonType(contentType) || !isUtf8(body)) return { bytes: body };
  try {
    return { json: JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()) };
  } catch {
    return { bytes: body };
  }
}
