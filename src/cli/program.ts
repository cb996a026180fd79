// The command line as a whole: its commands, what they share, and how a failure becomes an exit code.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addAuditCommand } from "./audit.ts";
import { addClientCommand } from "./client.ts";
import { addCommonCommand } from "./common-neighbours.ts";
import { addConfigCommand } from "./config.ts";
import { addCountCommand } from "./count.ts";
import { addDeployCommand } from "./deploy.ts";
import { addDevCommand } from "./dev.ts";
import { addExportCommand } from "./export.ts";
import { addInitCommand } from "./init.ts";
import { addKeysCommand } from "./keys.ts";
import { exitCodes, reportFailure } from "./output.ts";
import { addPathCommand } from "./path.ts";
import { addPlanCommand } from "./plan.ts";
import { addProduceCommand } from "./produce.ts";
import { addQueryCommand } from "./query.ts";
import { addSchemaCommand } from "./schema.ts";
import { addStartCommand } from "./start.ts";
import { addStatusCommand } from "./status.ts";
import { addStoreCommand } from "./store.ts";
import { addTailCommand } from "./tail.ts";
import { addTopicsCommand } from "./topics.ts";

const epilogue = `
Exit codes:
  0  done
  1  failed through a fault of RDG itself
  2  wrong usage or invalid input
  3  what was named does not exist
  4  not running, refused for now, or owned by another process
  5  damage or a difference was found
  6  a cluster is not as it was deployed

Data goes to stdout, messages to stderr. NO_COLOR turns colours off.

Example:
  $ rdg init my-graph && cd my-graph && npm install && npx rdg dev`;

export async function runCli(argv: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = new Command("rdg")
    .description("A real-time distributed graph: events in, a typed property graph out.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .showHelpAfterError("(add --help for usage)")
    .exitOverride()
    .addHelpText("after", epilogue);
  const finish = (code: number): void => {
    exitCode = code;
  };
  addInitCommand(program);
  addDevCommand(program, finish);
  addDeployCommand(program);
  addStartCommand(program, finish);
  addProduceCommand(program, finish);
  addTailCommand(program);
  addQueryCommand(program);
  addCountCommand(program);
  addPathCommand(program);
  addCommonCommand(program);
  addClientCommand(program);
  addSchemaCommand(program);
  addPlanCommand(program, finish);
  addStatusCommand(program, finish);
  addTopicsCommand(program);
  addStoreCommand(program, finish);
  addExportCommand(program);
  addConfigCommand(program);
  addKeysCommand(program);
  addAuditCommand(program);
  try {
    await program.parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return reportFailure(error);
  }
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return (manifest as { version: string }).version;
}
