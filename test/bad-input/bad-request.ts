// What a bad request is to the tests: bytes to send, and the answer that the documentation promises.
import { type Headers, request } from "./wire.ts";

export interface BadRequest {
  readonly name: string;
  readonly parts: readonly (string | Uint8Array)[];
  /** Undefined where the connection is closed without an answer. */
  readonly status: number | undefined;
  /** Of problem+json, or the `error_code` of the registry; undefined where the answer has no body that says it. */
  readonly code: string | undefined;
}

export type Expected = readonly [status: number | undefined, code?: string];

export const types = {
  json: { "content-type": "application/json" },
  ndjson: { "content-type": "application/x-ndjson" },
  avro: { "content-type": "avro/binary" },
  registry: { "content-type": "application/vnd.schemaregistry.v1+json" },
} as const;

/** A well-formed request. */
export function bad(
  name: string,
  [status, code]: Expected,
  method: string,
  path: string,
  headers: Headers = {},
  body: string | Uint8Array = "",
): BadRequest {
  return { name, status, code, parts: request(method, path, headers, body) };
}

/** Bytes that are a request in part, or not at all. */
export function raw(name: string, [status, code]: Expected, ...parts: readonly (string | Uint8Array)[]): BadRequest {
  return { name, status, code, parts };
}
