// Where jars come from: fetched once, believed only by their checksums, and every way in which that fails is told. With a Maven and a Java of the test's own.
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { jarsOf, type JarPlaces } from "../../scripts/cluster/jars.ts";
import { findJava } from "../../scripts/cluster/java.ts";

const path = process.env["PATH"]!;
let folder: string;
let places: JarPlaces;
let told: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-jars-"));
  places = { cache: join(folder, "cache"), pinned: join(folder, "pinned") };
  told = [];
  await mkdir(join(folder, "bin"));
  await mkdir(places.pinned);
  await writeFile(join(places.pinned, "kafka.sha256"), pin("a.jar", "A") + pin("b.jar", "B"));
  process.env["PATH"] = `${join(folder, "bin")}${delimiter}${path}`;
});

afterEach(async () => {
  process.env["PATH"] = path;
  await rm(folder, { recursive: true });
});

const pin = (name: string, content: string): string =>
  `${createHash("sha256").update(content).digest("hex")}  ${name}\n`;
const fetched = (): Promise<readonly string[]> => jarsOf("kafka", (line) => void told.push(line), places);
const runs = async (): Promise<number> => (await readFile(join(folder, "runs"), "utf8")).length;

/** A command that is found before any other of its name. */
const command = (name: string, script: string): Promise<void> =>
  writeFile(join(folder, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });

/** A Maven that brings these files. */
const maven = (files: Readonly<Record<string, string>>): Promise<void> =>
  command(
    "mvn",
    [
      `printf x >>'${folder}/runs'`,
      "for argument; do case $argument in -DoutputDirectory=*) into=${argument#*=};; esac; done",
      ...Object.entries(files).map(([name, content]) => `printf '${content}' >"$into/${name}"`),
    ].join("\n"),
  );

test("jars are fetched once, and only those that are pinned are kept", async () => {
  await maven({ "a.jar": "A", "b.jar": "B", "other.jar": "C" });
  const [one, two] = await Promise.all([fetched(), fetched()]);
  expect(one).toEqual([join(places.cache, "kafka", "a.jar"), join(places.cache, "kafka", "b.jar")]);
  expect(two).toEqual(one);
  expect(await runs()).toBe(1);
  expect(await readdir(places.cache)).toEqual(["kafka"]);
  expect(await readdir(join(places.cache, "kafka"))).toEqual(["a.jar", "b.jar"]);
  expect(told).toEqual([`Fetching 2 jars of kafka with Maven, once, into ${join(places.cache, "kafka")}`]);
});

test("a jar that was changed in the cache is fetched again", async () => {
  await maven({ "a.jar": "A", "b.jar": "B" });
  const [jar] = await fetched();
  await writeFile(jar!, "changed");
  await fetched();
  expect(await readFile(jar!, "utf8")).toBe("A");
  expect(await runs()).toBe(2);
  expect(told).toContain(`${join(places.cache, "kafka")} is not what is pinned (a.jar): fetching it again.`);
});

test("other bytes than those that are pinned are refused and not kept", async () => {
  await maven({ "a.jar": "A", "b.jar": "evil" });
  await expect(fetched()).rejects.toMatchObject({ kind: "corrupt", code: "jars_differ", message: /b\.jar/ });
  expect(await readdir(places.cache)).toEqual([]);
});

test("what Maven says when it fails is told", async () => {
  await command("mvn", "echo 'Could not transfer artifact'; exit 1");
  await expect(fetched()).rejects.toMatchObject({ kind: "unavailable", message: /Could not transfer artifact/ });
  expect(await readdir(places.cache)).toEqual([]);
});

test("without Maven the error says what to install", async () => {
  process.env["PATH"] = join(folder, "bin");
  await expect(fetched()).rejects.toMatchObject({
    kind: "unavailable",
    code: "no_maven",
    hint: /apt-get install maven/,
  });
});

test("what pip says when it fails is told, and without Python the error says what to install", async () => {
  await writeFile(join(places.pinned, "flink-lib.sha256"), pin("flink.jar", "F"));
  const fetchedFlink = (): Promise<readonly string[]> => jarsOf("flink-lib", (line) => void told.push(line), places);
  await command("python3", "echo 'No matching distribution found' >&2; exit 1");
  await expect(fetchedFlink()).rejects.toMatchObject({
    code: "jars_not_fetched",
    message: /No matching distribution found/,
  });
  await rm(join(folder, "bin", "python3"));
  process.env["PATH"] = join(folder, "bin");
  await expect(fetchedFlink()).rejects.toMatchObject({ code: "no_python", hint: /apt-get install python3-pip/ });
  expect(await readdir(places.cache)).toEqual([]);
});

test("without Java, or with an old one, the error says what to install", async () => {
  const home = process.env["JAVA_HOME"];
  delete process.env["JAVA_HOME"];
  try {
    process.env["PATH"] = `${join(folder, "bin")}${delimiter}/bin`;
    await command("java", `echo 'openjdk version "1.8.0_392"' >&2`);
    await expect(findJava()).rejects.toMatchObject({ code: "old_java", message: /version 8, which is older than 17/ });
    await command("java", `echo 'openjdk version "17.0.15" 2025-04-15' >&2`);
    expect(await findJava()).toBe("java");
    process.env["JAVA_HOME"] = join(folder, "nowhere");
    await expect(findJava()).rejects.toMatchObject({ code: "no_java", hint: /JAVA_HOME/ });
  } finally {
    if (home === undefined) delete process.env["JAVA_HOME"];
    else process.env["JAVA_HOME"] = home;
  }
});
