// Which Java runs the servers, and that it is new enough.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { RdgError } from "../../src/core/errors.ts";

const wanted = 17;
const hint = `Install Java ${wanted} (Debian: apt-get install openjdk-${wanted}-jre-headless), or let JAVA_HOME name it.`;

/** The command. @throws RdgError unavailable when there is none, or only an old one */
export async function findJava(): Promise<string> {
  const home = process.env["JAVA_HOME"];
  const java = home === undefined || home === "" ? "java" : join(home, "bin", "java");
  const { stderr } = await promisify(execFile)(java, ["-version"]).catch((cause: unknown) => {
    throw new RdgError("unavailable", "no_java", `\`${java}\` could not be run.`, { cause, hint });
  });
  const version = Number(/version "(?:1\.)?(\d+)/.exec(stderr)?.[1] ?? 0);
  if (version >= wanted) return java;
  const message = `\`${java}\` is version ${version}, which is older than ${wanted}.`;
  throw new RdgError("unavailable", "old_java", message, { hint });
}
