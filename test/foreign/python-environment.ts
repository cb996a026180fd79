// The Python that foreign clients run on: an environment of its own with the packages of requirements.txt, made before the first test and removed after the
// last. RDG_PYTHON names one that is there already.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { run } from "./run.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Path of the interpreter. */
    readonly python: string;
  }
}

const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));

let folder: string | undefined;

export async function setup(project: TestProject): Promise<void> {
  const given = process.env["RDG_PYTHON"];
  if (given !== undefined) return project.provide("python", given);
  folder = await mkdtemp(join(tmpdir(), "rdg-python-"));
  try {
    await must("python3", ["-m", "venv", folder]);
    const python = join(folder, "bin", "python");
    await must(python, [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
      "--no-deps",
      "-r",
      requirements,
    ]);
    project.provide("python", python);
  } catch (error) {
    await teardown();
    throw error;
  }
}

export async function teardown(): Promise<void> {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await run(command, args, { timeoutMs: 300_000 });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output}`);
}
