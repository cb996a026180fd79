// A body that is one Avro record in Confluent framing (0, schema id u32 BE, Avro bytes), written with the definition's schema or another registered one.
import { RdgError } from "../core/errors.ts";
import { type Finding, Findings } from "./findings.ts";
import type { Target } from "./target.ts";

const framingBytes = 5;

/** What reads the body, once the writer's schema is known. */
export type AvroBodyReader = (timeMaxMs: number) => { readonly findings: Findings; readonly count: number };

/** @throws RdgError when the registry cannot say now which schema it is */
export async function readAvro(target: Target, body: Buffer): Promise<AvroBodyReader> {
  if (body.length < framingBytes || body[0] !== 0) {
    return refused(
      body,
      "bad_framing",
      "the body does not begin with 0 and a schema id of 4 bytes (Confluent framing)",
    );
  }
  const found = await target.foreign.find(body.readUInt32BE(1));
  if ("problem" in found) return refused(body, found.problem.code, found.problem.reason);
  return (timeMaxMs) => {
    const findings = new Findings();
    const problems = acceptRecord(target, body, found.read, timeMaxMs);
    if (problems.length > 0) findings.add(0, 0, body.length, problems);
    return { findings, count: 1 };
  };
}

function acceptRecord(
  { transcoder }: Target,
  body: Buffer,
  read: (bytes: Uint8Array, start: number, end: number) => unknown,
  timeMaxMs: number,
): readonly Finding[] {
  if (body.length - framingBytes > transcoder.recordBytesMax) return [transcoder.tooLarge(body.length - framingBytes)];
  let value: unknown;
  try {
    value = read(body, framingBytes, body.length);
  } catch (error) {
    if (!(error instanceof RdgError) || error.code !== "bad_avro") throw error;
    return [{ field: "", code: "bad_avro", reason: `${error.message} (${error.place})` }];
  }
  return transcoder.intake.accept(value, timeMaxMs);
}

function refused(body: Buffer, code: string, reason: string): AvroBodyReader {
  return () => {
    const findings = new Findings();
    findings.add(0, 0, body.length, [{ field: "", code, reason }]);
    return { findings, count: 1 };
  };
}
