// The settings file of a cluster as its author meets it: typed, shown with secrets masked, and wrong ones refused by name.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "rdg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "./run-cli.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-config-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const configOf = async (content: string, env: Readonly<Record<string, string>> = {}) => {
  await writeFile(join(folder, "rdg.config.ts"), content);
  return await runCli(["config", "--json"], { cwd: folder, env });
};

test("settings are typed", () => {
  const config = defineConfig({
    role: "gateway,jobs",
    kafka: { bootstrap: "kafka:9092", tls: true },
    "store.memory": "2GB",
    topics: { "events.visit": { partitions: 8, retention: { time: "6h", size: "forever" } } },
  });
  expect(config.kafka).toEqual({ bootstrap: "kafka:9092", tls: true });
  // @ts-expect-error a misspelt setting
  defineConfig({ kafka: { bootsrap: "kafka:9092" } });
  // @ts-expect-error a value of another kind
  defineConfig({ kafka: { tls: "yes" } });
  // @ts-expect-error a misspelt member of a topic
  defineConfig({ topics: { "events.visit": { partition: 8 } } });
});

test("config shows them with where they come from; secrets it does not", async () => {
  const file = `import { defineConfig } from "rdg";
    export default defineConfig({
      kafka: { bootstrap: "a:9092,b:9092", mechanism: "PLAIN", username: "rdg", password: "open sesame" },
      topics: { "events.visit": { partitions: 8, retention: { time: "6h", size: "forever" } } },
    });`;
  const { code, out, err } = await configOf(file, { RDG_REGISTRY_PASSWORD: "open barley" });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const shown = JSON.parse(out) as Record<string, unknown>;
  expect(shown).toMatchObject({
    "kafka.bootstrap": { value: "a:9092,b:9092", origin: join(folder, "rdg.config.ts") },
    "kafka.password": { value: "(set)" },
    "registry.password": { value: "(set)", origin: "RDG_REGISTRY_PASSWORD" },
    "registry.username": { value: "", origin: "default" },
    topics: { "events.visit": { partitions: 8, timeMs: 21_600_000, sizeBytes: null } },
  });
  expect(out).not.toMatch(/sesame|barley/);
  const { out: text } = await runCli(["config"], { cwd: folder });
  expect(text).toMatch(/^topics events\.visit +8 partitions, kept for 6h, of any size$/m);
  expect(text).not.toContain("sesame");
});

test.each([
  ["{ kafka: { bootsrap: 'a:9092' } }", 'There is no setting "kafka.bootsrap".'],
  ["{ topics: { 'events.visit': { partition: 1 } } }", 'topics["events.visit"] has no "partition". (at'],
  [
    "{ topics: { 'events.visit': { partitions: 0 } } }",
    'topics["events.visit"].partitions is 0, not between 1 and 1024',
  ],
  ["{ topics: { 'events.visit': { retention: { time: 'soon' } } } }", '"soon" is not a duration.'],
  ["{ topics: { 'events.visit': { retention: { size: -1 } } } }", "retention.size is -1, not"],
  ["7", "exports no settings."],
])("%s is refused", async (content, message) => {
  const { code, err } = await configOf(`export default ${content};`);
  expect(err).toContain(message);
  expect(code).toBe(2);
});

test.each([
  [["--role", "gateway,serv"], 'There is no role "serv".'],
  [["--role", "store"], "The role store has nothing to write to."],
  [["--role", "jobs"], 'Setting "kafka.bootstrap" is missing.'],
  [["--role", "jobs", "--kafka-bootstrap", "here"], 'has "here", which is not host:port.'],
  [
    ["--role", "jobs", "--kafka-bootstrap", "a:1", "--kafka-ca", "x.pem"],
    'Setting "kafka.ca" is set although kafka.tls is off.',
  ],
  [["--role", "jobs", "--kafka-bootstrap", "a:1", "--kafka-username", "me"], 'Setting "kafka.mechanism" is missing'],
  [
    ["--role", "jobs", "--kafka-bootstrap", "a:1", "--kafka-compression", "zip"],
    'Setting "kafka.compression" is none of',
  ],
])("start %j says what is wrong before it connects", async (flags, message) => {
  await writeFile(join(folder, "rdg.config.ts"), "export default {};");
  const graph = join(import.meta.dirname, "../cluster/visits.graph.ts");
  const { code, err } = await runCli(["start", graph, ...flags], { cwd: folder });
  expect(err).toContain(message);
  expect(code).toBe(2);
});
