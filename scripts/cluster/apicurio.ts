// Apicurio Registry on loopback for tests: a registry that is not ours behind Confluent's REST API. It keeps everything in memory.
import { execFile } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { RdgError } from "../../src/core/errors.ts";
import { jarsOf, type Tell } from "./jars.ts";
import { findJava } from "./java.ts";
import { loopback } from "./ports.ts";
import type { Program } from "./server-process.ts";

export const apicurioUrl = (port: number): string => `http://${loopback}:${port}/apis/ccompat/v7`;

/** Unpacks the archive that was verified a moment ago. */
export async function apicurioProgram(folder: string, port: number, tell: Tell): Promise<Program> {
  const java = await findJava();
  const [archive] = await jarsOf("apicurio", tell);
  const unpacked = join(folder, "program");
  await mkdir(unpacked, { recursive: true });
  await promisify(execFile)("tar", ["-xzf", archive!, "-C", unpacked]);
  const runner = (await readdir(unpacked)).find((name) => name.endsWith("-runner.jar"));
  if (runner === undefined)
    throw new RdgError("corrupt", "no_runner", "Apicurio's archive has no runner.", { place: archive });
  return {
    name: "Apicurio",
    folder,
    command: java,
    args: [
      "-Xms64m",
      "-Xmx384m",
      "-XX:+ExitOnOutOfMemoryError",
      `-Dquarkus.http.host=${loopback}`,
      `-Dquarkus.http.port=${port}`,
      "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
      "-jar",
      join(unpacked, runner),
    ],
    ready: /Listening on: http/,
    readyWithinMs: 120_000,
    stopsWithinMs: 20_000,
  };
}
