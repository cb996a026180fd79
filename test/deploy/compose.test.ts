// compose.yaml says what the Compose Specification allows and means what it says. It is not started here: tests have no containers.
//
// compose-spec.schema.json is the schema of the Compose Specification (compose-spec/compose-spec at 170098ba, Apache-2.0).
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { embeddedSettings } from "../../src/compose/settings.ts";
import { variableOf } from "../../src/core/settings.ts";

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly string[];
  readonly healthcheck?: unknown;
  readonly restart?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only?: boolean;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, "utf8");
const compose = parse(read("compose.yaml")) as Compose;
const services = Object.entries(compose.services);
// It names its own schema with https, under which nobody knows it.
const { $schema: _, ...schema } = JSON.parse(read("test/deploy/compose-spec.schema.json")) as Record<string, unknown>;
const valid = new Ajv({ strict: false, validateFormats: false }).compile(schema);

test("it is what the specification allows", () => {
  valid(compose);
  expect(valid.errors).toBeNull();
  expect(valid({ ...compose, services: { kafka: { image: "kafka", port: ["9092:9092"] } } })).toBe(false);
});

test.each(services)("%s is reached from this machine only", (_, { ports }) => {
  for (const port of ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test.each(services)("%s is an image of a version of its own, or built here", (_, { image, build }) => {
  if (build === undefined) expect(image).toMatch(/:\d+(\.\d+)+$/);
  else expect(existsSync(`${root}/${build}/Dockerfile`)).toBe(true);
});

test.each(services)(
  "%s waits for services that tell when they are healthy, or that end",
  (_, { depends_on: needed }) => {
    for (const [name, { condition }] of Object.entries(needed ?? {})) {
      const { healthcheck, restart } = compose.services[name]!;
      if (condition === "service_completed_successfully") expect(restart).toBeUndefined();
      else expect(healthcheck).toBeDefined();
    }
  },
);

test.each(services)("%s mounts what there is", (_, { volumes }) => {
  for (const volume of volumes ?? []) {
    const source = volume.split(":")[0]!;
    if (source.startsWith(".")) expect(existsSync(`${root}/${source}`), source).toBe(true);
    else expect(Object.keys(compose.volumes)).toContain(source);
  }
});

test("RDG's variables are settings that there are, and its root file system is read-only", () => {
  const { environment, read_only: readOnly } = compose.services["rdg"]!;
  const known = Object.keys(embeddedSettings).map(variableOf);
  for (const name of Object.keys(environment!)) expect(known).toContain(name);
  expect(readOnly).toBe(true);
});
