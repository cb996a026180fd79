// Builds the published package: JavaScript and types from src/ into dist/.
import { spawnSync } from "node:child_process";
import { chmodSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
compile();
for (const file of globSync("**/*.{js,d.ts}", { cwd: dist })) rewritePaths(join(dist, file));
chmodSync(join(dist, "cli/main.js"), 0o755);

function compile(): void {
  const packageJson = createRequire(import.meta.url).resolve("@typescript/native/package.json");
  const tsc = join(dirname(packageJson), "bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * The compiler rewrites the extension in `import`, but not in `new URL("./worker.ts", import.meta.url)`, which is how a
 * worker thread names its file.
 */
function rewritePaths(path: string): void {
  const text = readFileSync(path, "utf8");
  const rewritten = text.replaceAll(/(new URL\(\s*["']\.[^"']*)\.ts(["'],\s*import\.meta\.url\s*\))/g, "$1.js$2");
  if (rewritten !== text) writeFileSync(path, rewritten);
}
