// Clients that are neither ours nor Confluent's exchange records with us: Apache Kafka's own in Java with a serde of Apicurio's, and kcat.
//
// Debian's kcat is built without support for registries (`kcat -V` does not name Avro), so `-s avro` is not there: it takes part with keys, headers, JSON, and
// by taking the framing apart.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { jarsOf } from "../../scripts/cluster/jars.ts";
import { findJava } from "../../scripts/cluster/java.ts";
import { runCli } from "../cli/run-cli.ts";
import { run } from "../foreign/run.ts";
import { RoleProcess } from "./role-process.ts";
import { sharedApicurio, sharedKafka, uniqueName } from "./shared.ts";

const program = fileURLToPath(new URL("TeamClient.java", import.meta.url));

let folder = "";
let classPath = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-clients-"));
  classPath = (await jarsOf("java-client", () => undefined)).join(delimiter);
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function must(command: string, args: readonly string[], stdin = ""): Promise<string> {
  const { code, stdout, output } = await run(command, args, { timeoutMs: 120_000, stdin });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output}`);
  return stdout;
}

/** Compiles the program, and runs it: a development kit is needed, not only what runs Java. */
async function java(...args: readonly string[]): Promise<string> {
  const settings = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
  return await must(await findJava(), [...settings, "-cp", classPath, program, ...args]);
}

/** Fails where it is not installed: `apt-get install kcat`. */
const kcat = (bootstrap: string, args: readonly string[], stdin?: string): Promise<string> =>
  must("kcat", ["-q", "-b", bootstrap, ...args], stdin);

const graphOf = (topic: string): string => `
import { defineGraph, event, job, node, t } from "rdg";
import { shipment } from "./shipment.ts";

const click = event("click", {
  from: { topic: "${topic}.json", values: "json", paths: { at: "meta.at" } },
  key: "user",
  time: "at",
  partitions: 2,
  fields: { user: t.string(), at: t.timestamp(), text: t.string() },
});
const note = event("note", { key: "by", time: "at", fields: { by: t.string(), text: t.string().optional(), at: t.timestamp() } });
const ship = node("ship", { weight: t.string(), state: t.string(), city: t.string(), zip: t.string(), number: t.string(), n: t.string(), at: t.timestamp() });
const user = node("user", { text: t.string() });

export default defineGraph("ships", {
  nodes: [ship, user],
  jobs: [
    job(shipment, { window: "50ms" }).map((e) => [
      ship.upsert(e.id, {
        weight: e.weight, state: e.state, city: e.to.city, zip: e.to.zip?.string, at: e.at, n: e.tags.n,
        number: e.to.zip?.int === undefined ? undefined : String(e.to.zip.int),
      }),
    ]),
    job(click, { window: "50ms" }).emit((e) => [user.upsert(e.user, { text: e.text })]),
    job(note, { window: "50ms" }).emit((e) => [user.upsert(e.by)]),
  ],
});
`;

test("Java and kcat write what becomes a graph, and read what RDG writes", async () => {
  const [{ bootstrap }, { url: registryUrl }] = await Promise.all([sharedKafka(), sharedApicurio()]);
  // Its serde speaks the registry's own API; ids and framing are Confluent's.
  const apicurioUrl = registryUrl.replace("/ccompat/v7", "/registry/v2");
  const topic = uniqueName("ships");
  await java("write", bootstrap, apicurioUrl, topic, "12");
  const clicks = Array.from({ length: 20 }, (_, i) => {
    const value = { user: `u${i % 5}`, text: `é ${i % 5}`, meta: { at: `2026-11-21T12:00:${10 + i}Z` } };
    return `${value.user}|${JSON.stringify(value)}\n`;
  });
  const produce = ["-P", "-t", `${topic}.json`, "-K", "|", "-z", "zstd", "-H", "source=shell", "-H", "empty"];
  await kcat(bootstrap, produce, clicks.join(""));

  const names = ["--name", "shipment", "--key", "id", "--time", "at", "--partitions", "2"];
  const imported = await runCli(["schema", "import", `${topic}-value`, "--registry", registryUrl, ...names]);
  expect(imported).toMatchObject({ code: 0, err: "" });
  await writeFile(join(folder, "shipment.ts"), imported.out);
  const graph = join(folder, "graph.ts");
  await writeFile(graph, graphOf(topic));
  const flags = { graph, bootstrap, prefix: `${uniqueName("clients")}.`, registryUrl };
  const rdg = await RoleProcess.start("gateway,jobs,serve", flags, ["--deploy-on-start", "true"]);
  onTestFailed(() => console.error(rdg.messages));
  try {
    const post = { method: "POST", headers: { "content-type": "application/json" } };
    const found = async (type: string, ids: readonly string[]): Promise<ReadonlyMap<string, unknown>> => {
      const body = JSON.stringify({ from: { type, ids }, hops: [] });
      const answer = (await (await fetch(`${rdg.url}/v1/traverse`, { ...post, body })).json()) as {
        readonly levels: readonly {
          readonly nodes: readonly { readonly id: string; readonly properties: unknown }[];
        }[];
      };
      return new Map(answer.levels[0]!.nodes.map(({ id, properties }) => [id, properties]));
    };
    const ships = Array.from({ length: 12 }, (_, i) => `s${i + 1}`);
    await expect.poll(async () => (await found("ship", ships)).size, { timeout: 60_000 }).toBe(12);
    const built = await found("ship", ships);
    const at = "2026-09-21T14:13:20.000Z";
    expect(built.get("s4")).toEqual({ weight: "4.125", state: "SENT", city: "city 0", zip: "Z4", n: "4", at });
    expect(built.get("s5")).toEqual({ weight: "5.125", state: "OPEN", city: "city 1", number: "5", n: "5", at });
    expect(built.get("s6")).toEqual({ weight: "6.125", state: "SENT", city: "city 0", n: "6", at });
    const users = ["u0", "u1", "u2", "u3", "u4"];
    await expect.poll(async () => (await found("user", users)).size, { timeout: 60_000 }).toBe(5);
    expect((await found("user", users)).get("u3")).toEqual({ text: "é 3" });

    const notes = ["a", "b", "c"].map((by, i) => ({ by, text: `n ${i} ü`, at: "2026-11-21T12:00:00Z" }));
    const sent = await fetch(`${rdg.url}/v1/events/note`, { ...post, body: JSON.stringify(notes) });
    expect(sent.status).toBe(202);
    const own = `${flags.prefix}events.note`;
    const read = (await java("read", bootstrap, apicurioUrl, own, "3")).trim().split("\n");
    expect(read.map((line) => JSON.parse(line) as unknown)).toEqual(
      notes.map(({ by, text, at: when }) => ({ key: null, value: { by, text, at: Date.parse(when) } })),
    );
    // The subject that clients look for by the topic's name has the schema whose id stands in the records.
    const subject = await fetch(`${registryUrl}/subjects/${own}-value/versions/latest`);
    const { id } = (await subject.json()) as { readonly id: number };
    const framed = ["-C", "-e", "-t", own, "-s", "value=>bis", "-f", "%s\n", "-X", "isolation.level=read_committed"];
    const lines = (await kcat(bootstrap, framed)).split("\n");
    expect(lines.filter((line) => new RegExp(`^0\\s*${id}\\D`).test(line))).toHaveLength(3);
    const headers = await kcat(bootstrap, ["-C", "-e", "-t", `${topic}.json`, "-f", "%k %h\n"]);
    expect(headers.trim().split("\n")).toHaveLength(20);
    expect(headers).toContain("u1 source=shell,empty=NULL");
  } finally {
    await rdg.dispose();
  }
});
