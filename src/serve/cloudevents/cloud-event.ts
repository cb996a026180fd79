// A CloudEvent as it was received, before anybody knows what it is about: attributes and data, whichever way they came.
import type { RecordProblem } from "../../gateway/port.ts";

export interface CloudEvent {
  /** Context attributes, extensions included, by name; their values as they came. */
  readonly attributes: ReadonlyMap<string, unknown>;
  /** Parsed, where the data is JSON; bytes, where it is anything else; undefined where there is none. */
  readonly data: { readonly json: unknown } | { readonly bytes: Uint8Array } | undefined;
  /** What was wrong with it already as it was read. */
  readonly problem?: EventProblem;
}

/** Why an event cannot be taken. `field` is the attribute that is meant; missing when it is the data, or all of it. */
export type EventProblem = Omit<RecordProblem, "index">;

/** `application/json; charset=utf-8` is JSON, and so is `application/vnd.acme+json`. Without a type, data is JSON. */
export function isJsonType(contentType: unknown): boolean {
  if (contentType === undefined || contentType === null) return true;
  return typeof contentType === "string" && /^[^;\s]+[/+]json$/.test(essenceOf(contentType));
}

/** The media type without its parameters, in lower case. */
export function essenceOf(contentType: string): string {
  return contentType.split(";", 1)[0]!.trim().toLowerCase();
}

/** The event in structured form: what the quarantine keeps, so that it can be sent again as it is. */
export function structuredBytes({ attributes, data }: CloudEvent): Uint8Array {
  return Buffer.from(JSON.stringify({ ...Object.fromEntries(attributes), ...shownData(data) }));
}

function shownData(data: CloudEvent["data"]): object {
  if (data === undefined) return {};
  return "json" in data ? { data: data.json } : { data_base64: Buffer.from(data.bytes).toString("base64") };
}
