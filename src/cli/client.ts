// `rdg client`: writes a TypeScript definition from a running RDG, for programs that do not share its source.
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { RdgError } from "../core/errors.ts";
import { definitionFormat, type GraphModel } from "../model/definition.ts";
import { fingerprintOf } from "../model/fingerprint.ts";
import { addTokenOption, requestJson } from "./connection.ts";
import { definitionSource } from "./definition-source.ts";
import { print, say } from "./output.ts";

interface ClientOptions {
  readonly out?: string;
  readonly tokenFile?: string;
}

export function addClientCommand(program: Command): void {
  const command = program
    .command("client")
    .description("write the events, nodes and edges of a running RDG as TypeScript, for rdg/client")
    .argument("<url>", "address of the RDG to ask")
    .option("-o, --out <file>", "write to this file instead of stdout");
  addTokenOption(command)
    .addHelpText("after", "\nExample:\n  $ rdg client http://127.0.0.1:7400 --out src/graph.ts")
    .action(async (url: string, { out, tokenFile }: ClientOptions) => {
      const model = await requestJson<GraphModel>({ url, tokenFile }, "/v1/definition");
      const format: number = model.format;
      if (format !== definitionFormat) {
        throw new RdgError("invalid", "unknown_definition", `The server's definition has format ${format}.`, {
          hint: "Use the version of rdg that the server runs.",
        });
      }
      const source = definitionSource(model, [
        `The graph ${JSON.stringify(model.name)} (definition ${fingerprintOf(model).slice(0, 12)}), written by \`rdg client ${new URL(url).origin}\`.`,
        "Write it anew when the definition changes; changes made here are lost then.",
      ]);
      if (out === undefined) return print(source.trimEnd());
      await writeFile(out, source);
      const { events, nodes, edges } = model;
      say(`${out}: ${events.length} events, ${nodes.length} node types, ${edges.length} edge types`);
    });
}
