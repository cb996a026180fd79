// Errors as schemas: RFC 9457 problems with RDG's members.
import type { Components } from "./graph-schemas.ts";
import { answered, count, integer, listOf, ref, text } from "./json-schema.ts";

export const problemSchemas: Components = {
  Problem: {
    ...answered(
      {
        type: { type: "string", pattern: "^urn:rdg:problem:" },
        title: text,
        status: integer(400, 599),
        detail: text,
        code: { type: "string", description: "Stable; for programs." },
        place: {
          type: "string",
          description: "A JSON pointer into the request, a parameter, or line:column of a text.",
        },
        hint: { type: "string", description: "What to do next." },
        errors: listOf(ref("RecordProblem")),
        errorCount: count,
      },
      ["place", "hint", "errors", "errorCount"],
    ),
    description: "RFC 9457.",
  },
};
