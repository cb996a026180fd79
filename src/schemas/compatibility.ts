// Whether a schema may follow another one under a subject's compatibility.
import { readingProblems } from "../model/avro/schema-resolution.ts";
import { parseAvroSchema } from "../model/avro/schema-tree.ts";
import type { Compatibility } from "./port.ts";

/** Why `schema` may not follow `earlier` under the compatibility: who could no longer read what. Both are valid Avro schemas. */
export function evolutionProblems(schema: string, earlier: string, compatibility: Compatibility): readonly string[] {
  const next = parseAvroSchema(schema).root;
  const previous = parseAvroSchema(earlier).root;
  const problems: string[] = [];
  if (/^(?:BACKWARD|FULL)/.test(compatibility)) {
    for (const problem of readingProblems(next, previous))
      problems.push(`the new schema cannot read earlier records: ${problem}`);
  }
  if (/^(?:FORWARD|FULL)/.test(compatibility)) {
    for (const problem of readingProblems(previous, next))
      problems.push(`earlier readers cannot read new records: ${problem}`);
  }
  return problems;
}
