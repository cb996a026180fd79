// The commands of docs/security.md are run as they stand, in order, by bash and curl: what they print is compared with what stands below them, where `...` is
// anything. Only where servers listen differs: on free ports of loopback.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { connect } from "rdg/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { account, playback } from "../../examples/streaming/graph.ts";
import { systemClock } from "../../src/core/clock.ts";
import { KeyFolder } from "../../src/serve/auth/key-folder.ts";
import { type Authority, issue } from "../auth/der.ts";
import { jwksOf, newKey } from "../auth/issuer.ts";
import { run } from "./run.ts";

interface Block {
  readonly kind: "run" | "start" | "clients.json";
  readonly code: string;
  /** What stands below it. */
  readonly expected: string | undefined;
  readonly line: number;
}

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const page = readFileSync(pathOf("../../docs/security.md"), "utf8");
const blocks = [
  ...page.matchAll(/^```(?:sh|json) (run|start|clients\.json)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?/gms),
].map((match): Block => {
  const [, kind, code, expected] = match;
  return { kind: kind as Block["kind"], code: code!, expected, line: page.slice(0, match.index).split("\n").length };
});

let folder: string;
let server: ChildProcess | undefined;
let url: string | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-security-"));
  const write = (name: string, content: string): Promise<void> => writeFile(join(folder, name), content);
  const ca = issue({ commonName: "test authority" });
  const writeIssued = async (name: string, keyName: string, { cert, key }: Authority): Promise<void> => {
    await write(name, cert);
    await write(keyName, key);
  };
  await write("ca.pem", ca.cert);
  await writeIssued("server.pem", "server.key", issue({ commonName: "rdg", dns: ["rdg.example.com"], issuer: ca }));
  await writeIssued("ops.pem", "ops-key.pem", issue({ commonName: "ops", organisation: "Example", issuer: ca }));
  await write("jwks.json", jwksOf(newKey("first")));
  await write("events.ndjson", `${JSON.stringify(event())}\n`);
  const rdg = `"${process.execPath}" --conditions=rdg-source "${pathOf("../../src/cli/main.ts")}"`;
  const started = `--port 0 --grpc-port off --json --log-level error`;
  const script = [
    "#!/usr/bin/env bash",
    "command=$1; shift",
    "case $command in",
    `  dev) exec ${rdg} dev "${pathOf("../../examples/streaming/graph.ts")}" "$@" ${started} ;;`,
    `  produce|status) exec ${rdg} $command "$@" --url "$RDG" ;;`,
    `  *) exec ${rdg} $command "$@" ;;`,
    "esac",
  ];
  await write("rdg", `${script.join("\n")}\n`);
  await chmod(join(folder, "rdg"), 0o755);
});

afterAll(async () => {
  await stop();
  await rm(folder, { recursive: true, force: true });
});

const environment = (): Record<string, string> => ({
  PATH: `${folder}:${process.env["PATH"]}`,
  CURL_HOME: folder,
  RDG_DATA: join(folder, "data"),
  RDG: url ?? "",
  NO_COLOR: "1",
});

function event() {
  const ids = { accountId: "a1", profileId: "p1", deviceId: "tv", titleId: "t1" };
  return { ...ids, action: "start", positionMs: 0, at: new Date() } as const;
}

async function stop(): Promise<void> {
  const running = server;
  server = undefined;
  if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
  running.kill("SIGTERM");
  await once(running, "close");
}

/** Resolves when it answers; then `127.0.0.1:7400` and `rdg.example.com:7400` are its addresses for curl. */
async function start(command: string): Promise<void> {
  await stop();
  const own = command
    .replace("--host 0.0.0.0", "--host 127.0.0.1")
    .replace("https://login.example.com/jwks", "jwks.json");
  const env = { ...process.env, ...environment() };
  server = spawn("bash", ["-c", `exec ${own}`], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let messages = "";
  server.stderr!.on("data", (chunk: Buffer) => (messages += chunk.toString()));
  url = undefined;
  for await (const line of createInterface({ input: server.stdout! })) {
    ({ url } = JSON.parse(line) as { url: string });
    break;
  }
  if (url === undefined) throw new Error(`${command} ended:\n${messages}`);
  const { port } = new URL(url);
  const moved = ["127.0.0.1", "rdg.example.com"].map((host) => `connect-to = "${host}:7400:127.0.0.1:${port}"\n`);
  await writeFile(join(folder, ".curlrc"), moved.join(""));
}

/** The server that the page's first requests ask, with something in its graph. */
async function startFirst(): Promise<void> {
  await start("rdg dev");
  const folderOfKeys = new KeyFolder(join(folder, "data"));
  const { secret: token } = await folderOfKeys.create({ name: "filler", scopes: ["admin"] }, systemClock.now());
  const client = connect(url!, { token });
  const { positions } = await client.produce(playback, event());
  await client.from(account, "a1").run({ waitFor: positions, timeoutMs: 10_000 });
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
const like = (line: string): RegExp => new RegExp(line.split("...").map(escaped).join(".*"));

test("all commands of the page are marked, and it has some", () => {
  expect(blocks.filter(({ kind }) => kind !== "clients.json").length).toBe([...page.matchAll(/^```sh/gm)].length);
  expect(blocks.length).toBeGreaterThan(6);
});

for (const { kind, code, expected, line } of blocks) {
  test(`what stands in line ${line} does what the page says (${kind})`, async () => {
    if (kind === "clients.json") return writeFile(join(folder, kind), code);
    if (kind === "start") return start(code.trim());
    if (server === undefined && code.includes("curl")) await startFirst();
    const ran = await run("bash", ["-euo", "pipefail", "-c", code], {
      timeoutMs: 60_000,
      cwd: folder,
      env: environment(),
    });
    expect(ran.code, ran.output).toBe(0);
    expect(expected).toBeDefined();
    // Keys are listed by their ids, which are random.
    for (const told of expected!.trim().split("\n")) expect(ran.stdout).toMatch(like(told));
  });
}
