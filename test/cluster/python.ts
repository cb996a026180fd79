// The Python that foreign clients of cluster tests run on: an environment of its own with the packages of requirements.txt.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../foreign/run.ts";

const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));

export interface Python {
  /** What the program prints. @throws Error with all that it has said when it fails */
  run(program: string, args: readonly string[]): Promise<string>;
  dispose(): Promise<void>;
}

export async function openPython(): Promise<Python> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-python-"));
  const python = join(folder, "bin", "python");
  const must = async (command: string, args: readonly string[], timeoutMs: number): Promise<string> => {
    const { code, stdout, output } = await run(command, args, { timeoutMs });
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output}`);
    return stdout;
  };
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await must("python3", ["-m", "venv", folder], 120_000);
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", requirements];
    await must(python, install, 300_000);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    run: (program, args) => must(python, [fileURLToPath(new URL(program, import.meta.url)), ...args], 60_000),
    dispose,
  };
}
