// `rdg client`: writes a TypeScript definition from a running RDG, for programs that do not share its source.
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { fingerprintOf } from "../model/fingerprint.ts";
import { addTokenOption, servedDefinition } from "./connection.ts";
import { definitionSource } from "./definition-source.ts";
import { print, say } from "./output.ts";

interface ClientOptions {
  readonly out?: string;
  readonly tokenFile?: string;
}

export function addClientCommand(program: Command): void {
  const command = program
    .command("client")
    .description("write the definition of a running RDG, without its jobs, as TypeScript, for rdg/client")
    .argument("<url>", "address of the RDG to ask")
    .option("-o, --out <file>", "write to this file instead of stdout");
  addTokenOption(command)
    .addHelpText("after", "\nExample:\n  $ rdg client http://127.0.0.1:7400 --out src/graph.ts")
    .action(async (url: string, { out, tokenFile }: ClientOptions) => {
      const { model, enrichments } = await servedDefinition({ url, tokenFile });
      const source = definitionSource({ ...model, enrichments }, [
        `The graph ${JSON.stringify(model.name)} (definition ${fingerprintOf(model).slice(0, 12)}), written by \`rdg client ${new URL(url).origin}\`.`,
        "Write it anew when the definition changes; changes made here are lost then.",
      ]);
      if (out === undefined) return print(source.trimEnd());
      await writeFile(out, source);
      const { events, sideInputs, nodes, edges } = model;
      const counts = [
        `${events.length} events, ${sideInputs.length} side inputs`,
        `${nodes.length} node types, ${edges.length} edge types, ${enrichments.length} enrichments`,
      ];
      say(`${out}: ${counts.join(", ")}`);
    });
}
