// The servers that all test files of a run share: each is started when the first file asks for it, and stopped after the last.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestProject } from "vitest/node";
import { jarsOf } from "../../scripts/cluster/jars.ts";
import { describeError } from "../../src/core/errors.ts";
import { startApicurio, startCassandra, startKafka, type OwnServer } from "./servers.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the shared servers are asked for. */
    readonly sharedServers: string;
  }
}

const starters: Readonly<Record<string, () => Promise<OwnServer>>> = {
  "/kafka": startKafka,
  "/cassandra": () => startCassandra(),
  "/apicurio": startApicurio,
};

const started = new Map<string, Promise<OwnServer>>();
let desk: Server | undefined;

export async function setup(project: TestProject): Promise<void> {
  // Before the first test: however long it takes, no test's time is used up.
  for (const name of ["kafka", "cassandra", "apicurio", "flink", "flink-lib"] as const)
    await jarsOf(name, console.error);
  desk = createServer((request, response) => {
    addressOf(request.url ?? "").then(
      (address) => response.end(JSON.stringify(address)),
      (error: unknown) => response.writeHead(503).end(describeError(error)),
    );
  });
  await once(desk.listen(0, "127.0.0.1"), "listening");
  project.provide("sharedServers", `http://127.0.0.1:${(desk.address() as AddressInfo).port}`);
}

export async function teardown(): Promise<void> {
  desk?.close();
  desk?.closeAllConnections();
  await Promise.all(
    [...started.values()].map(async (server) => {
      // What did not start has been told of already.
      await (await server.catch(() => undefined))?.stop();
    }),
  );
}

function addressOf(path: string): Promise<OwnServer> {
  let server = started.get(path);
  if (server === undefined) {
    const start = starters[path];
    if (start === undefined) return Promise.reject(new Error(`No shared server has the name ${path}.`));
    server = start();
    started.set(path, server);
  }
  return server;
}
