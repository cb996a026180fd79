// The Kubernetes manifests against the schemas of Kubernetes itself, strictly and without a cluster: a field that there is not is refused.
import { readFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, test } from "vitest";
import { run, type Ran } from "./run.ts";

const manifest = fileURLToPath(new URL("../../deploy/kubernetes/rdg.yaml", import.meta.url));

const check = (file: string, version: string): Promise<Ran> =>
  run(inject("python"), ["-m", "kubernetes_validate", "--strict", "--kubernetes-version", version, file], {
    timeoutMs: 60_000,
  });

test.each(["1.29", "1.37"])("Kubernetes %s takes them", async (version) => {
  const { code, output } = await check(manifest, version);
  expect(output.match(/passed for resource/g)).toHaveLength(5);
  expect(code).toBe(0);
});

test("a field that there is not is found", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rdg-kubernetes-"));
  try {
    const file = join(folder, "wrong.yaml");
    await writeFile(
      file,
      (await readFile(manifest, "utf8")).replace("readOnlyRootFilesystem", "readOnlyRootFileSystem"),
    );
    expect(await check(file, "1.37")).toMatchObject({ code: 1, output: /readOnlyRootFileSystem/ });
  } finally {
    await rm(folder, { recursive: true });
  }
});
