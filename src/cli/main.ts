#!/usr/bin/env node
// The `rdg` command: refuses a Node that is too old in one clear line, before anything that such a Node could not even load.
const oldestMajor = 24;
const major = Number(process.versions.node.split(".", 1)[0]);
if (major < oldestMajor) {
  process.stderr.write(`rdg needs Node ${oldestMajor} or later; this is Node ${process.versions.node}.\n`);
  process.exitCode = 2;
} else {
  const { runCli } = await import("./program.ts");
  process.exitCode = await runCli(process.argv);
}
