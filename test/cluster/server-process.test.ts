// A server's life, with shells in the place of servers: ready, failed, stopped, killed, paused; and gone when its starter was killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  killProcess,
  pidOf,
  signalProcess,
  startProcess,
  stopProcess,
  type Program,
} from "../../scripts/cluster/server-process.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-server-"));
});

afterEach(async () => {
  await killProcess(folder);
  await rm(folder, { recursive: true, force: true });
});

const program = (script: string): Program => ({
  name: "The server",
  folder,
  command: "sh",
  args: ["-c", script, folder],
  ready: /ready/,
  readyWithinMs: 2000,
  stopsWithinMs: 500,
});
const serving = "echo ready; while :; do sleep 0.1; done";

test("it is started, and stopped in order", async () => {
  await startProcess(program(`trap 'echo bye; exit 0' TERM; ${serving}`));
  expect(await pidOf(folder)).toBeGreaterThan(1);
  expect(await stopProcess({ folder, stopsWithinMs: 5000 })).toBe(true);
  expect(await pidOf(folder)).toBeUndefined();
  expect(await readFile(join(folder, "log"), "utf8")).toMatch(/^ready\n[^]*bye\n$/);
});

test("one that does not want to end is killed", async () => {
  await startProcess(program(`trap '' TERM; ${serving}`));
  expect(await stopProcess({ folder, stopsWithinMs: 500 })).toBe(false);
  expect(await pidOf(folder)).toBeUndefined();
});

test("one that is paused is stopped too", async () => {
  await startProcess(program(serving));
  await signalProcess(folder, "SIGSTOP");
  expect(await stopProcess({ folder, stopsWithinMs: 5000 })).toBe(true);
});

test("one that ends before it is ready is told of with the end of its log", async () => {
  await expect(startProcess(program("echo 'no such file'; exit 3"))).rejects.toMatchObject({
    kind: "unavailable",
    message: "The server ended with 3. The end of its log:\nno such file",
    place: join(folder, "log"),
  });
});

test("one that is never ready is killed", async () => {
  await expect(startProcess(program("while :; do sleep 0.1; done"))).rejects.toMatchObject({
    message: /was not ready after 2 s/,
  });
  expect(await pidOf(folder)).toBeUndefined();
});

test("a command that does not exist is told of", async () => {
  const missing = { ...program(""), command: join(folder, "missing") };
  await expect(startProcess(missing)).rejects.toMatchObject({ message: /could not be started: .*ENOENT/ });
});

test("started again, an earlier log does not count as ready", async () => {
  await startProcess(program(serving));
  await killProcess(folder);
  await expect(startProcess(program("exit 1"))).rejects.toMatchObject({ code: "server_not_started" });
});

test("a process that got the number of a server that is gone is left alone", async () => {
  await writeFile(join(folder, "pid"), String(process.pid));
  expect(await pidOf(folder)).toBeUndefined();
  await killProcess(folder);
});

test("when its starter is killed, the server and its folder go too", async () => {
  const module = fileURLToPath(new URL("../../scripts/cluster/server-process.ts", import.meta.url));
  const starter = `
    import { guard, startProcess } from ${JSON.stringify(module)};
    guard(${JSON.stringify(folder)});
    const args = ["-c", ${JSON.stringify(serving)}, ${JSON.stringify(folder)}];
    await startProcess({ name: "", folder: ${JSON.stringify(folder)}, command: "sh", args, ready: /ready/, readyWithinMs: 5000, stopsWithinMs: 1 });
    console.log("started");
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ["--conditions=rdg-source", "--input-type=module-typescript", "-e", starter], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  expect(await pidOf(folder)).toBeGreaterThan(1);
  child.kill("SIGKILL");
  const endMs = Date.now() + 10_000;
  while (
    await readdir(folder).then(
      () => true,
      () => false,
    )
  ) {
    expect(Date.now()).toBeLessThan(endMs);
    await sleep(50);
  }
  expect(await pidOf(folder)).toBeUndefined();
});
