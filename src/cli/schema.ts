// `rdg schema`: prints the Avro schemas that follow from a definition.
import type { Command } from "commander";
import { RdgError } from "../core/errors.ts";
import { print, printJson } from "./output.ts";
import { addSchemaImportCommand } from "./schema-import.ts";

export function addSchemaCommand(program: Command): void {
  const schema = program.command("schema");
  addSchemaImportCommand(schema);
  schema
    .description("print the Avro schemas of a definition, by registry subject")
    .argument("[subject]", "print this subject's schema only, for example events.playback-value")
    .option("-g, --graph <file>", "the definition", "graph.ts")
    .option("--json", "print one JSON object: subject -> schema")
    .addHelpText("after", "\nExample:\n  $ rdg schema events.playback-value --graph graph.ts")
    .action(async (subject: string | undefined, options: { graph: string; json?: boolean }) => {
      const [{ modelSchemas }, { loadGraph }] = await Promise.all([
        import("../model/avro/schemas.ts"),
        import("../compose/graph-file.ts"),
      ]);
      const { model } = await loadGraph(options.graph);
      const schemas = modelSchemas(model);
      if (subject !== undefined) {
        const found = schemas.find((candidate) => candidate.subject === subject);
        if (found === undefined) {
          throw new RdgError("not_found", "subject_not_found", `The definition has no subject "${subject}".`, {
            hint: `Subjects are: ${schemas.map((candidate) => candidate.subject).join(", ")}.`,
          });
        }
        return print(JSON.stringify(JSON.parse(found.schema), null, 2));
      }
      if (options.json === true) {
        return printJson(Object.fromEntries(schemas.map(({ subject, schema }) => [subject, JSON.parse(schema)])));
      }
      for (const { subject, schema, fingerprint } of schemas)
        print(`${subject}  ${fingerprint.slice(0, 16)}\n  ${schema}`);
    });
}
