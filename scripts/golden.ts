// Writes a golden folder of today's formats: a small data folder, what it answers, and its export. Made once for every release that changes a format, never again:
// `node --conditions=rdg-source scripts/golden.ts 0.1.0`.
import { cp, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KeyFolder } from "../src/serve/auth/key-folder.ts";
import { packFolder } from "../test/formats/folder.ts";
import { openProduct } from "../test/formats/product.ts";
import { exported, openedMs, record, writeStory, writtenMs } from "../test/formats/story.ts";

const [name = ""] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+$/.test(name)) throw new Error("Name the release, such as 0.1.0.");
const target = fileURLToPath(new URL(`../test/golden/folders/${name}/`, import.meta.url));
const isThere = await stat(target).then(
  () => true,
  () => false,
);
if (isThere) throw new Error(`${target} is there already: golden folders are never made again.`);

const working = await mkdtemp(join(tmpdir(), "rdg-golden-"));
const data = join(working, "data");
try {
  const scopes = ["read", "produce", "observe", "admin"];
  const { secret } = await new KeyFolder(data).create({ name: "golden", scopes }, writtenMs);
  const writing = await openProduct({ data, nowMs: writtenMs, secret });
  await writeStory(writing);
  // As a kill would leave it: the next start recovers.
  await cp(data, join(working, "killed"), { recursive: true, filter: (path) => !/\/lock/.test(path) });
  await writing.close();
  await cp(data, join(working, "stopped"), { recursive: true });
  const asked = await openProduct({ data, nowMs: openedMs, secret });
  const recorded = await record(asked);
  const graph = await exported(asked);
  await asked.close();
  for (const kind of ["killed", "stopped"]) await packFolder(join(working, kind), join(target, kind));
  const lines = Object.entries({ secret, ...recorded }).map(([key, value]) => `"${key}": ${JSON.stringify(value)}`);
  await writeFile(join(target, "recorded.json"), `{\n${lines.join(",\n")}\n}\n`);
  await writeFile(join(target, "export.ndjson"), graph);
  console.log(`Written: ${target}`);
} finally {
  await rm(working, { recursive: true });
}
