// The description fuzzed: schemathesis makes requests of /v1/openapi.json, valid and broken ones. No 5xx, no status, type or body that is not described, and
// nothing is accepted that the description does not allow. (That what it allows is accepted, or refused for what only the definition knows, is tested in
// test/http/agreement.test.ts: schemathesis cannot know which refusals are right.)
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { run } from "./run.ts";
import { type StreamingServer, startStreaming } from "./streaming-server.ts";

const config = fileURLToPath(new URL("schemathesis.toml", import.meta.url));
const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
  "negative_data_rejection",
  "unsupported_method",
  "allow_header_conformance",
];

const timeoutMs = 400_000;
vi.setConfig({ testTimeout: timeoutMs + 20_000 });

let server: StreamingServer | undefined;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-schemathesis-"));
  server = await startStreaming(2_000, ["--serve-timeout", "200ms"]);
});

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function fuzz(options: readonly string[], configured = true): Promise<void> {
  const args = [
    "-m",
    "schemathesis.cli",
    ...(configured ? [`--config-file=${config}`] : []),
    "run",
    `${server!.url}/v1/openapi.json`,
    "--no-color",
    "--seed=1",
    "--generation-database=none",
    "--request-timeout=10",
    "--phases=examples,coverage,fuzzing",
    ...options,
  ];
  const { code, output } = await run(inject("python"), args, { timeoutMs, cwd: folder });
  expect(code, output).toBe(0);
  expect(output).toMatch(/Tested: +\d/);
}

test("requests that follow the description, or nearly do, meet no error of the server, and no answer that is not described", async () => {
  await fuzz(["--max-examples=20", `--checks=${checks.join(",")}`]);
});

test("nor do events in part", async () => {
  const paths = "^/v1/(events|inputs|cloudevents)";
  await fuzz([`--include-path-regex=${paths}`, "--max-examples=30", `--checks=${checks.slice(0, 4).join(",")}`], false);
});
