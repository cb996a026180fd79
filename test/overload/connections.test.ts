// As many connections as the server takes (ten thousand, where the system lets it open files enough), and more: each is served, those beyond are closed at once,
// memory stays bounded, and all of it is given back.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Wire, request } from "../bad-input/wire.ts";
import { ServerProcess } from "../crash/server-process.ts";

const openedAtOnce = 250;
const beyond = 100;
const grownBytesMax = 600_000_000;

let folder: string;
let server: ServerProcess;
const wires: Wire[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-connections-"));
  server = new ServerProcess(
    join(folder, "data"),
    fileURLToPath(new URL("../../examples/streaming/graph.ts", import.meta.url)),
  );
  await server.start(["--log-level", "error"]);
});
afterAll(async () => {
  for (const wire of wires) wire.close();
  await server.kill();
  await rm(folder, { recursive: true, force: true });
});

function residentBytes(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid!}/status`, "utf8"))![1]) * 1024;
}

/** Fill and bound of connections, asked on a connection that is open. */
async function connections(wire: Wire): Promise<{ fill: number; max: number }> {
  wire.send(...request("GET", "/metrics"));
  const text = (await wire.answer())!.body.toString();
  const valueOf = (what: string): number =>
    Number(new RegExp(`^rdg_queue_${what}\\{queue="http_connections".*\\} (\\d+)$`, "m").exec(text)![1]);
  return { fill: valueOf("fill"), max: valueOf("max") };
}

/** Opens connections, asks something on each, and expects `status` of all: undefined where they are closed. */
async function open(count: number, status: number | undefined): Promise<void> {
  for (let left = count; left > 0; left -= openedAtOnce) {
    const opened = await Promise.all(
      Array.from({ length: Math.min(left, openedAtOnce) }, () => Wire.open(server.url!)),
    );
    wires.push(...opened);
    for (const wire of opened) wire.send(...request("GET", "/livez"));
    const answers = await Promise.all(opened.map((wire) => wire.answer()));
    expect(new Set(answers.map((answer) => answer?.status))).toEqual(new Set([status]));
  }
}

test(
  "as many as it takes are served, those beyond are closed, and all are given back",
  { timeout: 120_000 },
  async () => {
    const before = residentBytes();
    await open(1, 200);
    const [first] = wires;
    const { max } = await connections(first!);
    await open(max - 1, 200);
    expect(await connections(first!)).toEqual({ fill: max, max });
    await open(beyond, undefined);

    const headers = { "content-type": "application/json" };
    const asked = wires.slice(0, max).filter((_, i) => i % 100 === 0);
    const body = JSON.stringify({ from: { type: "account", ids: ["a"] }, hops: [{ edge: "has_profile" }] });
    for (const wire of asked) wire.send(...request("POST", "/v1/traverse", headers, body));
    for (const wire of asked) expect((await wire.answer())?.status).toBe(200);
    expect(residentBytes() - before).toBeLessThan(grownBytesMax);

    for (const wire of wires.splice(1)) wire.close();
    while ((await connections(first!)).fill > 1) await wait(20);
    await open(10, 200);
  },
);
