// The jars of the servers: fetched once from Maven Central by Maven, held to the SHA-256 that this folder pins, kept in a cache outside of the repository.
//
// Maven resolves <name>.pom.xml with whatever mirror its own settings name. What came is trusted only when its files are exactly those of <name>.sha256
// (in the form of `sha256sum`).
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { RdgError } from "../../src/core/errors.ts";

export type JarSet = "kafka" | "cassandra";

/** Told of what takes long, a line each. */
export type Tell = (line: string) => void;

const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const fetchTimeoutMs = 600_000;
/** Of what Maven said, for errors. */
const linesKept = 15;

/** Where the jars are kept: RDG_CLUSTER_CACHE, else the user's cache folder. */
function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment["RDG_CLUSTER_CACHE"];
  if (given !== undefined && given !== "") return given;
  const caches = environment["XDG_CACHE_HOME"];
  return join(caches !== undefined && caches !== "" ? caches : join(homedir(), ".cache"), "rdg", "cluster");
}

/** The jars' paths. Fetches them when they are not there, or are not those that are pinned. */
export async function jarsOf(name: JarSet, tell: Tell, cache: string = cacheFolder()): Promise<readonly string[]> {
  const pins = await readPins(join(import.meta.dirname, `${name}.sha256`));
  const folder = join(cache, name);
  const wrong = await wrongIn(folder, pins);
  if (wrong.length > 0) {
    const there = wrong.length < pins.size;
    if (there) tell(`${folder} is not what is pinned (${told(wrong)}): fetching it again.`);
    await fetchInto(folder, name, pins, tell);
  }
  return [...pins.keys()].map((jar) => join(folder, jar));
}

/** Beside the folder first, so that whoever looks sees all jars or none. */
async function fetchInto(folder: string, name: JarSet, pins: ReadonlyMap<string, string>, tell: Tell): Promise<void> {
  await mkdir(join(folder, ".."), { recursive: true });
  const arriving = await mkdtemp(`${folder}.`);
  try {
    tell(`Fetching ${pins.size} jars of ${name} with Maven, once, into ${folder}`);
    await runMaven(name, arriving, pins, tell);
    for (const jar of await readdir(arriving)) if (!pins.has(jar)) await rm(join(arriving, jar));
    const wrong = await wrongIn(arriving, pins);
    if (wrong.length > 0)
      throw new RdgError("corrupt", "jars_differ", `Maven's ${name} is not what is pinned: ${told(wrong)}.`, {
        place: `scripts/cluster/${name}.sha256`,
        hint: "Somebody serves other bytes under these names. Look at the mirror in Maven's settings and at the files in ~/.m2/repository, remove what is wrong, try again.",
      });
    await rm(folder, { recursive: true, force: true });
    await rename(arriving, folder).catch(async (error: unknown) => {
      // Somebody else was as quick.
      if ((await wrongIn(folder, pins)).length > 0) throw error;
    });
  } finally {
    await rm(arriving, { recursive: true, force: true });
  }
}

async function runMaven(name: JarSet, into: string, pins: ReadonlyMap<string, string>, tell: Tell): Promise<void> {
  const pom = join(import.meta.dirname, `${name}.pom.xml`);
  const args = ["-B", "-f", pom, copyDependencies, "-DincludeScope=runtime", `-DoutputDirectory=${into}`];
  const maven = spawn("mvn", args, { stdio: ["ignore", "pipe", "inherit"], timeout: fetchTimeoutMs });
  const last: string[] = [];
  let arrived = 0;
  createInterface({ input: maven.stdout }).on("line", (line) => {
    last.push(line);
    if (last.length > linesKept) last.shift();
    const jar = /Downloaded from .*\/([^/]+\.jar) /.exec(line)?.[1];
    if (jar === undefined || !pins.has(jar)) return;
    arrived++;
    if (arrived % 10 === 0) tell(`${arrived} of ${pins.size} jars of ${name}`);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    maven.once("error", reject).once("close", resolve);
  }).catch((cause: unknown) => {
    const hint = "Install it (Debian: apt-get install maven) so that `mvn --version` answers.";
    throw new RdgError("unavailable", "no_maven", "Maven could not be started.", { cause, hint });
  });
  if (code === 0) return;
  throw new RdgError("unavailable", "jars_not_fetched", `Maven ended with ${code}:\n${last.join("\n")}`, {
    hint: `Is Maven Central, or the mirror in Maven's settings, reachable? Jars that are in the cache already (${cacheFolder()}) need no network.`,
  });
}

/** Name -> SHA-256 in hex. */
async function readPins(path: string): Promise<ReadonlyMap<string, string>> {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}

/** Names of the pinned files that are missing or have other bytes. */
async function wrongIn(folder: string, pins: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const [jar, sha256] of pins) {
    const found = await sha256Of(join(folder, jar)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    });
    if (found !== sha256) wrong.push(jar);
  }
  return wrong;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest("hex");
}

const told = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
