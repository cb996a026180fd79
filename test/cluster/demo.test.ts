// `npm run demo:cluster` as it stands: it ends by itself, and both serving processes answer the same.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const demo = fileURLToPath(new URL("../../examples/streaming/cluster-demo.ts", import.meta.url));

test("the demo sends to two gateways and asks two servers the same", async () => {
  const args = ["--conditions=rdg-source", demo, "--store", "embedded", "--events", "2000"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const answers = [...stdout.matchAll(/answers with (.*) edges$/gm)].map(([, edges]) => edges);
  expect(answers).toHaveLength(2);
  expect(answers[0]).toBe(answers[1]);
  expect(answers[0]).not.toBe("0 + 0 + 0");
});
