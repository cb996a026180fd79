// Jars that no Maven repository has: Flink's distribution comes in a wheel of PyPI, fetched with pip from whatever index its own settings name.
import { execFile } from "node:child_process";
import { glob, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { RdgError } from "../../src/core/errors.ts";

const python = "python3";
const timeout = 600_000;

/** Puts what lies under `lib/` in the wheel of this requirement, such as `name==1.2.3`, into the folder. @throws RdgError unavailable */
export async function fetchWheelJars(requirement: string, into: string): Promise<void> {
  const work = await mkdtemp(join(into, "wheel-"));
  try {
    await run(["-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "-d", work, requirement], requirement);
    for await (const wheel of glob("*.whl", { cwd: work }))
      await run(["-m", "zipfile", "-e", wheel, "."], requirement, work);
    for await (const jar of glob("**/lib/*.jar", { cwd: work }))
      await rename(join(work, jar), join(into, basename(jar)));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function run(args: readonly string[], requirement: string, cwd?: string): Promise<void> {
  await promisify(execFile)(python, args, { timeout, cwd }).catch((cause: unknown) => {
    const { code, stderr } = cause as NodeJS.ErrnoException & { readonly stderr?: string };
    if (code === "ENOENT")
      throw new RdgError("unavailable", "no_python", `\`${python}\` could not be started.`, {
        cause,
        hint: "Install it with pip (Debian: apt-get install python3-pip).",
      });
    throw new RdgError("unavailable", "jars_not_fetched", `pip did not fetch ${requirement}:\n${stderr ?? ""}`, {
      hint: "Is PyPI, or the index in pip's settings, reachable?",
    });
  });
}
