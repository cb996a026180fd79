// A Confluent-compatible schema registry on loopback: RDG's own, alone behind Confluent's REST API.
import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import fastify from "fastify";
import { systemClock } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import { ByteBudget } from "../../src/serve/byte-budget.ts";
import { Admission } from "../../src/serve/guards.ts";
import { registerRegistryRoutes } from "../../src/serve/registry-routes.ts";
import { loopback } from "./ports.ts";

export interface ServedRegistry {
  /** What Confluent's clients are given. */
  readonly url: string;
  close(): Promise<void>;
}

/** @param port 0: a free one */
export async function serveRegistry(folder: string, port: number): Promise<ServedRegistry> {
  await mkdir(folder, { recursive: true });
  const registry = await openEmbeddedRegistry({ folder });
  const app = fastify({ routerOptions: { maxParamLength: 4096 } });
  const refusal = (): RdgError => new RdgError("overloaded", "too_many_requests", "Too many requests at once.");
  const otherBodies = new ByteBudget({ bytesMax: 64 * 1024 * 1024, graceMs: 1000, clock: systemClock, refusal });
  await app.register(async (scope) =>
    registerRegistryRoutes(scope, registry, { otherBodies, others: new Admission("requests", 64) }),
  );
  const close = async (): Promise<void> => {
    await app.close();
    await registry.close();
  };
  try {
    await app.listen({ port, host: loopback });
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `http://${loopback}:${(app.server.address() as AddressInfo).port}/registry`, close };
}
