// `rdg export` as a process: from a running RDG and from its data folder, what it leaves behind when it is stopped, and what it refuses.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Dev, runCli } from "./run-cli.ts";

let folder: string;
let project: string;
let dev: Dev;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-export-cli-"));
  project = join(folder, "graph");
  await runCli(["init", project]);
  dev = await Dev.start([], { cwd: project });
  await runCli(["produce", "view", "sample-events.ndjson", "--url", dev.url], { cwd: project });
  const text = "(page {id: 'docs'})<-[:viewed]-(user)";
  const isApplied = async (): Promise<void> => {
    expect((await runCli(["query", text, "--url", dev.url])).out).toContain("bob");
  };
  await vi.waitFor(isApplied, { timeout: 20_000 });
});
afterAll(async () => {
  await dev.stop("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

const online = (...args: string[]) => runCli(["export", "--url", dev.url, ...args], { cwd: project });
const offline = (...args: string[]) => runCli(["export", "--log-level", "error", ...args], { cwd: project });

describe("a running RDG", () => {
  test("is exported to stdout and to a file, the same", async () => {
    const printed = await online("--canonical");
    expect(printed.code, printed.err).toBe(0);
    const lines = printed.out.trimEnd().split("\n");
    expect(JSON.parse(lines[0]!)).toMatchObject({ format: "rdg-export", version: 1, order: "canonical" });
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ kind: "end", nodes: { user: 3 }, sha256: expect.any(String) });
    const out = join(folder, "online.ndjson");
    const written = await online("--out", out, "--json");
    expect(JSON.parse(written.out)).toMatchObject({ elements: lines.length - 2, bytes: printed.out.length });
    expect(await readFile(out, "utf8")).toBe(printed.out);
    expect(await runCli(["export", "--check", out, "--json"])).toMatchObject({ code: 0, err: "" });
    await writeFile(out, printed.out.slice(0, -100));
    expect(await runCli(["export", "--check", out])).toMatchObject({ code: 5, out: "" });
  });

  test("tells positions and time when asked to", async () => {
    const header = (await online("--origin")).out.split("\n", 1)[0]!;
    expect(JSON.parse(header)).toMatchObject({ inputs: ["events.view/0@4"], asOf: expect.any(String) as string });
  });

  test("becomes a folder of CSV, which must be new", async () => {
    const out = join(folder, "csv");
    expect(await online("--format", "csv", "--out", out)).toMatchObject({ code: 0, out: "" });
    expect((await readdir(out)).sort()).toEqual(expect.arrayContaining(["edges.viewed.csv", "nodes.page.csv"]));
    expect(await online("--format", "csv", "--out", out)).toMatchObject({ code: 4 });
    expect(await online("--format", "csv")).toMatchObject({ code: 2 });
    expect((await readdir(folder)).filter((name) => name.includes(".tmp"))).toEqual([]);
  });

  test("and what is asked wrongly", async () => {
    expect(await online("--format", "xml")).toMatchObject({ code: 2 });
    expect(await online("--as-of", "yesterday")).toMatchObject({ code: 2 });
    expect(await online("--as-of", "2020-01-01T00:00:00Z")).toMatchObject({ code: 2, out: "" });
    expect(await online("--out", join(folder, "no", "such", "folder"))).toMatchObject({ code: 2 });
    expect(await runCli(["export", "--check", join(folder, "nothing")])).toMatchObject({ code: 3 });
    expect(await runCli(["export", "--url", "http://127.0.0.1:9"])).toMatchObject({ code: 4 });
  });

  test("has the same export when it is stopped, from its data folder", async () => {
    expect(await offline()).toMatchObject({ code: 4, out: "" });
    const running = (await online()).out;
    expect(await dev.stop("SIGTERM")).toBe(0);
    const stopped = await offline();
    expect(stopped.code, stopped.err).toBe(0);
    expect(stopped.out).toBe(running);
    dev = await Dev.start([], { cwd: project });
  });
});

describe("a server that stops half way", () => {
  let server: Server;
  let url: string;
  let header: string;
  let ending: (() => void) | undefined;

  beforeAll(async () => {
    const definition = await (await fetch(`${dev.url}/v1/definition`)).text();
    header = (await (await fetch(`${dev.url}/v1/export`)).text()).split("\n", 1)[0]!;
    const line = (i: number): string =>
      `{"kind":"node","type":"user","id":"u${i}","firstSeen":"2026-01-01T00:00:00.000Z","lastSeen":"2026-01-01T00:00:00.000Z","properties":{}}\n`;
    server = createServer((request, response) => {
      if (request.url === "/v1/definition") return void response.end(definition);
      response.write(`${header}\n${Array.from({ length: 1_000 }, (_, i) => line(i)).join("")}`);
      if (ending === undefined) response.end();
      else ending();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test("leaves no file", async () => {
    const own = join(folder, "cut");
    await mkdir(own);
    const { code, err } = await runCli(["export", "--url", url, "--out", join(own, "graph.ndjson")]);
    expect([code, err]).toEqual([5, expect.stringContaining("1000 elements")]);
    expect(await readdir(own)).toEqual([]);
  });

  test("and whoever waits for it may stop", async () => {
    const own = join(folder, "stopped");
    await mkdir(own);
    const begun = new Promise<void>((resolve) => {
      ending = resolve;
    });
    const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
    const args = ["--conditions=rdg-source", cli, "export", "--url", url, "--out", join(own, "graph.ndjson")];
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    await begun;
    child.kill("SIGINT");
    const [code] = (await once(child, "exit")) as [number | null];
    expect(code).toBe(4);
    expect(await readdir(own)).toEqual([]);
  });
});
