// Confluent framing of Avro records (0, schema id as 4 bytes big endian, Avro bytes), and records that were written with another schema than the definition's own.
// Hot path: `schemaIdAt` runs per event.

export const framingBytes = 5;

/** The schema id of the framed record `bytes[start, end)`, or -1 when it is not framed. */
export function schemaIdAt(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < framingBytes || bytes[start] !== 0) return -1;
  return ((bytes[start + 1]! << 24) | (bytes[start + 2]! << 16) | (bytes[start + 3]! << 8) | bytes[start + 4]!) >>> 0;
}

/** Turns the Avro bytes of a record (without framing) into the definition's own schema. @throws RdgError invalid when they cannot be read */
export type Convert = (bytes: Uint8Array) => Uint8Array;

/** Finds how to read records of a foreign schema id. @throws RdgError `not_found`, or `invalid` when the schemas do not resolve; `unavailable` when the registry cannot say now */
export type FindConversion = (schemaId: number) => Promise<Convert>;
