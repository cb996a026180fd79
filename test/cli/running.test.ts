// What is told to stop ends, whatever a library has left open.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("lingering.ts", import.meta.url));

test("a process that has closed everything ends although something lingers", async () => {
  const child = spawn(process.execPath, ["--conditions=rdg-source", program], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});
