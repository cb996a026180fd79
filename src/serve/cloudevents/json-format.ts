// The JSON event format of CloudEvents: structured mode has one event as the body, batched mode a list of them.
import { isUtf8 } from "node:buffer";
import { RdgError } from "../../core/errors.ts";
import { parseBase64 } from "../../model/avro/json-values.ts";
import { type CloudEvent, type EventProblem, isJsonType } from "./cloud-event.ts";

/** @throws RdgError invalid, `bad_json` */
export function readStructured(body: Uint8Array): CloudEvent {
  return eventOf(jsonOf(body));
}

/** @throws RdgError invalid, `bad_json`, `not_a_list` */
export function readBatch(body: Uint8Array): readonly CloudEvent[] {
  const events = jsonOf(body);
  if (Array.isArray(events)) return events.map(eventOf);
  throw new RdgError("invalid", "not_a_list", "A batch of CloudEvents is a list.", {
    hint: "Send a single one as application/cloudevents+json.",
  });
}

function jsonOf(body: Uint8Array): unknown {
  try {
    if (!isUtf8(body)) throw new Error("It is not UTF-8");
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch (error) {
    throw new RdgError("invalid", "bad_json", `The body is not JSON: ${(error as Error).message}.`, {
      hint: "See docs/events.md.",
    });
  }
}

function eventOf(value: unknown): CloudEvent {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const problem = { code: "not_an_object", reason: "a CloudEvent is an object" };
    return { attributes: new Map(), data: { json: value }, problem };
  }
  const attributes = new Map<string, unknown>();
  for (const [name, member] of Object.entries(value)) {
    // null is as if it were not there.
    if (name !== "data" && name !== "data_base64" && member !== null) attributes.set(name, member);
  }
  const { data, data_base64: encoded } = value as { readonly data?: unknown; readonly data_base64?: unknown };
  if (encoded === undefined || encoded === null) {
    return { attributes, data: Object.hasOwn(value, "data") ? { json: data } : undefined };
  }
  return { attributes, ...decoded(encoded, data, attributes.get("datacontenttype")) };
}

function decoded(encoded: unknown, data: unknown, type: unknown): Pick<CloudEvent, "data" | "problem"> {
  const bad = (reason: string): { data: CloudEvent["data"]; problem: EventProblem } => ({
    data: { json: data ?? encoded },
    problem: { code: "bad_data", reason, field: "data_base64" },
  });
  if (data !== undefined) return bad("data and data_base64 exclude each other");
  const bytes = typeof encoded === "string" ? parseBase64(encoded) : undefined;
  if (bytes === undefined) return bad("it is not padded base64");
  if (!isJsonType(type) || !isUtf8(bytes)) return { data: { bytes } };
  try {
    return { data: { json: JSON.parse(Buffer.from(bytes).toString()) } };
  } catch {
    return { data: { bytes } };
  }
}
