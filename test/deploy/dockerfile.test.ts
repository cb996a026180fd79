// The Dockerfile is one that the builder takes, builds from files that there are, and makes an image that does not run as root. It is not built here: tests
// have no containers.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { validate } from "dockerfile-utils";
import { expect, test } from "vitest";
import { embeddedSettings } from "../../src/compose/settings.ts";
import { variableOf } from "../../src/core/settings.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const dockerfile = readFileSync(`${root}/Dockerfile`, "utf8");
/** Instructions, each on one line. */
const instructions = dockerfile
  .replaceAll("\\\n", " ")
  .split("\n")
  .map((line) => line.trim())
  .filter((line) => line !== "" && !line.startsWith("#"));
const stages = instructions
  .join("\n")
  .split(/^FROM /m)
  .slice(1);
const image = stages.at(-1)!.split("\n");
const of = (lines: readonly string[], name: string): readonly string[] =>
  lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1).trim());

test("the builder takes it", () => {
  expect(validate(dockerfile)).toEqual([]);
  expect(validate("FROM node:24\nCOPPY . .\n")).not.toEqual([]);
});

test("it is built in stages from an image of a known version, and the last one has no tools", () => {
  expect(stages).toHaveLength(3);
  for (const stage of stages) expect(stage).toMatch(/^node:24-/);
  expect(of(image, "RUN").join()).not.toContain("npm");
});

test("what it copies is there, and reaches the builder", () => {
  const admitted = readFileSync(`${root}/.dockerignore`, "utf8")
    .split("\n")
    .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
  const copied = of(instructions, "COPY")
    .filter((line) => !line.startsWith("--from"))
    .flatMap((line) => line.split(/\s+/).slice(0, -1));
  expect(new Set(copied)).toEqual(new Set(admitted));
  for (const path of copied) expect(existsSync(`${root}/${path}`), path).toBe(true);
});

test("it does not run as root, keeps its data in a volume and says how it is", () => {
  expect(of(image, "USER")).toEqual(["1000:1000"]);
  expect(of(image, "VOLUME")).toEqual(["/data"]);
  expect(of(image, "EXPOSE")).toEqual([`${embeddedSettings.port.default} ${embeddedSettings.port.default + 1}`]);
  expect(of(image, "HEALTHCHECK")[0]).toContain(`http://127.0.0.1:${embeddedSettings.port.default}/livez`);
});

test("its variables are settings that there are", () => {
  const known = Object.keys(embeddedSettings).map(variableOf);
  const names = of(image, "ENV").flatMap((line) => line.split(/\s+/).map((pair) => pair.split("=")[0]!));
  for (const name of names) if (name.startsWith("RDG_")) expect(known).toContain(name);
  expect(names).toContain("RDG_DATA");
});
