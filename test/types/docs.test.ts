// The TypeScript of the documents is what the compiler checks: each block stands in a file beside the other types. `vitest -u` writes them anew.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);

test.each([
  ["README.md", "readme", ["graph", "client"]],
  ["docs/queries.md", "queries", ["client"]],
  ["docs/enrichment.md", "enrichment", ["declaring"]],
  [
    "docs/client.md",
    "client",
    [
      "first",
      "connecting",
      "addresses",
      "grpc",
      "several",
      "any",
      "rows",
      "enriched",
      "questions",
      "inputs",
      "producer",
      "failures",
    ],
  ],
])("%s", async (document, folder, names) => {
  const text = await readFile(new URL(document, root), "utf8");
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
  expect(blocks).toHaveLength(names.length);
  for (const [i, block] of blocks.entries()) {
    const file = new URL(`docs/${folder}/${names[i]}.ts`, import.meta.url);
    await expect(block).toMatchFileSnapshot(fileURLToPath(file));
  }
});
