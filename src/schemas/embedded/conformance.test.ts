// The embedded registry keeps the registry's contract.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registryConformance } from "../conformance.ts";
import { openEmbeddedRegistry } from "./registry.ts";

registryConformance("embedded registry", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rdg-registry-"));
  return { open: () => openEmbeddedRegistry({ folder }), dispose: () => rm(folder, { recursive: true }) };
});
