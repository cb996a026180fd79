// `rdg store verify`: proves that both directions of the store agree and that it equals a fresh rebuild from the type topics.
import type { Command } from "commander";
import type { Verification } from "../observe/port.ts";
import { addTokenOption, requestJson } from "./connection.ts";
import { exitCodes, print, printJson, say, type Finish } from "./output.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

export function addStoreCommand(program: Command, finish: Finish): void {
  const store = program.command("store").description("look after the store");
  const verify = store
    .command("verify")
    .description("prove the store against itself and against a rebuild from the log")
    .argument("[graph]", "the definition, where no RDG is running (default: graph.ts in this folder)")
    .option("--url <url>", "verify the store of the RDG that runs at this address")
    .option("--json", "print as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ rdg store verify graph.ts --data .rdg\n  $ rdg store verify --url http://127.0.0.1:7400",
    );
  addTokenOption(verify);
  addSettingFlags(verify).action(async (file: string | undefined, options: Record<string, unknown>) => {
    const verification = await verificationOf(file, options);
    if (options["json"] === true) printJson(verification);
    else report(verification);
    if (verification.differences.length > 0) finish(exitCodes.difference);
  });
}

async function verificationOf(file: string | undefined, options: Record<string, unknown>): Promise<Verification> {
  if (typeof options["url"] === "string") {
    const server = { url: options["url"], tokenFile: options["tokenFile"] as string | undefined };
    return await requestJson<Verification>(server, "/v1/store/verify", { method: "POST" });
  }
  const [{ verifyStore }, { loadGraph }] = await Promise.all([
    import("../compose.ts"),
    import("../compose/graph-file.ts"),
  ]);
  const [graph, { values }] = await Promise.all([loadGraph(file), settingsOf(options)]);
  return await verifyStore(graph, values);
}

function report(verification: Verification): void {
  const { elements, transactions, differences, rebuilt } = verification;
  for (const { type, element, what } of differences) print(`${type}  ${element}  ${what}`);
  say(`${elements} elements, ${transactions} transactions replayed, ${differences.length} differences`);
  if (!rebuilt) say("The log no longer holds every transaction: the store was checked against itself only.");
}
