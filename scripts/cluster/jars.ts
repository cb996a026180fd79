// The jars of the servers: fetched once, held to the SHA-256 that this folder pins, kept in a cache outside of the repository.
//
// Maven resolves <name>.pom.xml, and pip the wheels, with whatever mirror their own settings name. What came is trusted only when its files are exactly those of
// <name>.sha256 (in the form of `sha256sum`).
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { RdgError } from "../../src/core/errors.ts";
import { withLock } from "./lock.ts";
import { fetchWheelJars } from "./wheel.ts";

export type JarSet = "kafka" | "cassandra" | "apicurio" | "java-client" | "flink" | "flink-lib";

/** Those that come in a wheel of PyPI. */
const wheels: Readonly<Partial<Record<JarSet, string>>> = { "flink-lib": "apache-flink-libraries==2.2.1" };

/** Told of what takes long, a line each. */
export type Tell = (line: string) => void;

const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const fetchTimeoutMs = 600_000;
/** Of what Maven said, for errors. */
const linesKept = 15;

/** Where the jars are kept: RDG_CLUSTER_CACHE, else the user's cache folder. */
function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const given = environment["RDG_CLUSTER_CACHE"];
  if (given !== undefined && given !== "") return given;
  const caches = environment["XDG_CACHE_HOME"];
  return join(caches !== undefined && caches !== "" ? caches : join(homedir(), ".cache"), "rdg", "cluster");
}

export interface JarPlaces {
  readonly cache: string;
  /** Where the POMs and checksums are. */
  readonly pinned: string;
}

/** The jars' paths. Fetches them when they are not there, or are not those that are pinned. */
export async function jarsOf(
  name: JarSet,
  tell: Tell,
  { cache, pinned }: JarPlaces = { cache: cacheFolder(process.env), pinned: import.meta.dirname },
): Promise<readonly string[]> {
  const pins = await readPins(pinsOf(pinned, name));
  const folder = join(cache, name);
  const paths = [...pins.keys()].map((jar) => join(folder, jar));
  if ((await wrongIn(folder, pins)).length === 0) return paths;
  await mkdir(cache, { recursive: true });
  // Maven does not share its repository with another Maven.
  return withLock(join(cache, "lock"), fetchTimeoutMs, async () => {
    const wrong = await wrongIn(folder, pins);
    if (wrong.length > 0 && wrong.length < pins.size)
      tell(`${folder} is not what is pinned (${told(wrong)}): fetching it again.`);
    if (wrong.length > 0) await fetchInto(folder, { pins, pinned, name }, tell);
    return paths;
  });
}

interface Wanted {
  readonly name: JarSet;
  readonly pins: ReadonlyMap<string, string>;
  readonly pinned: string;
}

const pinsOf = (pinned: string, name: JarSet): string => join(pinned, `${name}.sha256`);

/** Beside the folder first, so that whoever looks sees all jars or none. */
async function fetchInto(folder: string, wanted: Wanted, tell: Tell): Promise<void> {
  const { name, pins, pinned } = wanted;
  const arriving = await mkdtemp(`${folder}.`);
  try {
    const wheel = wheels[name];
    const what = `${pins.size} ${pins.size === 1 ? "archive" : "jars"} of ${name}`;
    tell(`Fetching ${what} with ${wheel === undefined ? "Maven" : "pip"}, once, into ${folder}`);
    if (wheel === undefined) await runMaven(wanted, arriving, tell);
    else await fetchWheelJars(wheel, arriving);
    for (const jar of await readdir(arriving)) if (!pins.has(jar)) await rm(join(arriving, jar));
    const wrong = await wrongIn(arriving, pins);
    if (wrong.length > 0)
      throw new RdgError("corrupt", "jars_differ", `What came for ${name} is not what is pinned: ${told(wrong)}.`, {
        place: pinsOf(pinned, name),
        hint: "Somebody serves other bytes under these names. Look at the mirror in the settings of Maven or pip and at the files in ~/.m2/repository, remove what is wrong, try again.",
      });
    await rm(folder, { recursive: true, force: true });
    await rename(arriving, folder);
  } finally {
    await rm(arriving, { recursive: true, force: true });
  }
}

async function runMaven({ name, pins, pinned }: Wanted, into: string, tell: Tell): Promise<void> {
  const pom = join(pinned, `${name}.pom.xml`);
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
    hint: `Is Maven Central, or the mirror in Maven's settings, reachable?`,
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
