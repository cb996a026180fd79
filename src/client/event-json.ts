import { formatBase64 } from "../model/avro/json-values.ts";
// Events and rows of side inputs as the JSON that the gateway takes, and where they go.
import type { AnyEvent, AnySideInput } from "../model/define/declaration.ts";
import type { ProduceCall } from "./transport.ts";

/** int64 as decimal text and bytes as base64; Dates are ISO 8601 by themselves. @throws TypeError where the value is no JSON */
export function eventJson(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    if (typeof inner === "bigint") return inner.toString();
    return inner instanceof Uint8Array ? formatBase64(inner) : inner;
  });
}

export function targetOf({ kind, name }: Pick<AnyEvent | AnySideInput, "kind" | "name">): ProduceCall["target"] {
  return { kind: kind === "event" ? "event" : "input", name };
}
