// What is published installs and runs in an empty folder: the commands, the entry points, their types.
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve("@typescript/native/package.json")), "bin/tsc");

const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
  exports: Record<string, unknown>;
};
const entryPoints = Object.keys(manifest.exports)
  .filter((name) => !name.endsWith(".json"))
  .map((name) => `rdg${name.slice(1)}`);

/** As a user's shell has it: this Node first, and nothing that the npm which runs these tests has set. */
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|VITEST|NODE_ENV$)/.test(name)),
  ),
  PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
};

describe("the published package", { timeout: 120_000 }, () => {
  let folder: string;
  let user: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rdg-package-"));
    const tarball = await pack(folder);
    user = await mkdtemp(join(folder, "user-"));
    await writeFile(join(user, "package.json"), JSON.stringify({ private: true, type: "module" }));
    await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", tarball], { cwd: user, env });
  }, 240_000);

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("holds what is built, and nothing else", async () => {
    const installed = join(user, "node_modules/rdg");
    expect((await readdir(installed)).filter((name) => name !== "README.md").toSorted()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "dist",
      "package.json",
    ]);
    const built = await readdir(join(installed, "dist"), { recursive: true });
    expect(built.filter((path) => path.includes(".test."))).toEqual([]);
  });

  test("answers `npx rdg --help`", async () => {
    const { stdout } = await run("npx", ["--no-install", "rdg", "--help"], { cwd: user, env });
    expect(stdout).toMatch(/^Usage: rdg/);
  });

  test.each(entryPoints)("`import %s` runs", async (entryPoint) => {
    const program = `process.stdout.write(JSON.stringify(Object.keys(await import("${entryPoint}"))))`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: user, env });
    expect(JSON.parse(stdout)).not.toEqual([]);
  });

  test.each(["nodenext", "bundler"])("types resolve (module resolution %s)", async (moduleResolution) => {
    const lines = entryPoints.flatMap((entryPoint, i) => [
      `import * as entry${i} from "${entryPoint}";`,
      `export const known${i}: 0 extends 1 & typeof entry${i} ? "any" : "known" = "known";`,
    ]);
    await writeFile(join(user, "program.ts"), lines.join("\n"));
    const compilerOptions = {
      module: moduleResolution === "bundler" ? "esnext" : "nodenext",
      moduleResolution,
      target: "es2024",
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: ["node"],
      typeRoots: [join(root, "node_modules/@types")],
    };
    await writeFile(join(user, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
    const result = await run(process.execPath, [tsc, "-p", user], { env }).catch((error: { stdout: string }) => error);
    expect(result.stdout).toBe("");
  });
});

/** Builds and packs a copy of the checkout, so that a build in the checkout is left alone. */
async function pack(into: string): Promise<string> {
  const copy = join(into, "checkout");
  const left = new Set(["node_modules", "dist", "coverage", ".git", ".rdg"]);
  await cp(root, copy, { recursive: true, filter: (path) => !left.has(basename(path)) });
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  await run("npm", ["pack", "--pack-destination", into], { cwd: copy, env }).catch((error: { stdout: string }) => {
    throw new Error(`npm pack failed: ${error.stdout}`, { cause: error });
  });
  const tarball = (await readdir(into)).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack wrote no tarball");
  return join(into, tarball);
}
