// Writes that the cluster did not take, as bytes for a queue: registers, so they may be made at any later time, in any order and more than once.
import { RdgError } from "../../core/errors.ts";
import type { Parameter, Statement } from "./session.ts";

/** Where such writes are kept until `CassandraStore.repair` is called with them: a topic of the log, for example. */
export interface RepairQueue {
  /** Resolves when the record is durable. Rejecting makes the frame's `apply` reject. */
  put(record: Uint8Array): Promise<void>;
  /** Whether everything that was ever put, by whomever, is made up. */
  isEmpty(): Promise<boolean>;
}

const format = 1;

type Written = null | string | readonly [string] | readonly (readonly string[])[];

/** JSON: `{"format": 1, "statements": [{"query": ..., "params": [...]}]}`; bytes are base64 in a list of one. */
export function encodeRepair(statements: readonly Statement[]): Uint8Array {
  const written = statements.map(({ query, params }) => ({ query, params: params.map(writtenOf) }));
  return Buffer.from(JSON.stringify({ format, statements: written }));
}

/** @throws RdgError corrupt, `bad_repair` */
export function decodeRepair(record: Uint8Array): readonly Statement[] {
  try {
    const read = JSON.parse(Buffer.from(record).toString()) as {
      readonly format: number;
      readonly statements: readonly { readonly query: string; readonly params: readonly Written[] }[];
    };
    if (read.format !== format) throw new RangeError(`format ${read.format}`);
    return read.statements.map(({ query, params }) => ({ query, params: params.map(parameterOf) }));
  } catch (cause) {
    throw new RdgError("corrupt", "bad_repair", "The record is none of writes to be repaired.", {
      hint: "It was written by another version, or is damaged. The graph can be rebuilt from the type topics.",
      cause,
    });
  }
}

function writtenOf(param: Parameter): Written {
  if (param === undefined) return null;
  if (typeof param === "string") return param;
  if (Buffer.isBuffer(param)) return [param.toString("base64")];
  if (typeof param === "number") return String(param);
  return param.map((item) => [Buffer.from(item as Buffer).toString("base64")]);
}

function parameterOf(written: Written): Parameter {
  if (written === null) return undefined;
  if (typeof written === "string") return written;
  const [first] = written;
  if (written.length === 1 && typeof first === "string") return Buffer.from(first, "base64");
  return (written as readonly (readonly string[])[]).map(([item]) => Buffer.from(item!, "base64"));
}
