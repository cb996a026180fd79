// Everything may die, hang, be cut off or be wrong about the time at any moment, and everything that was acknowledged is there exactly once: a seeded run of
// faults over a whole cluster, on test hosts of its own. `npm run test:chaos` runs it for as long as wanted.
//
// CHAOS_SEED=n chooses the same faults again (their moments differ), CHAOS_SECONDS=n makes it longer.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { firstSeed } from "../first-seed.ts";
import { runInSandbox } from "./chaos/sandbox.ts";

const seconds = Number(process.env["CHAOS_SECONDS"] ?? 45);
const seed = firstSeed("CHAOS_SEED");
const program = fileURLToPath(new URL("chaos/run.ts", import.meta.url));
const linesTold = 3;

test(
  `chaos for ${seconds} s: nothing is lost, doubled or told wrongly`,
  { timeout: seconds * 1_000 + 900_000 },
  async () => {
    const lines: string[] = [];
    const args = ["--seconds", String(seconds), "--seed", String(seed)];
    const code = await runInSandbox(program, args, (line) => void lines.push(line));
    expect(code, `CHAOS_SEED=${seed}\n${lines.join("\n")}`).toBe(0);
    console.info(lines.slice(-linesTold - 1).join("\n"));
  },
);
