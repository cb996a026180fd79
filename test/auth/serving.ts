// A server with authentication for tests: all of its routes over a gateway and queries that only say what they were asked, and a key of any scope.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { type Clock, systemClock, systemTimers } from "../../src/core/clock.ts";
import type { Gateway } from "../../src/gateway/port.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { Queries, QueryContext } from "../../src/query/port.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { CheckedAccess, type CheckedAccessOptions } from "../../src/serve/auth/access.ts";
import { AuditLog, type AuditRecord, readAudit } from "../../src/serve/auth/audit-log.ts";
import { KeyFolder } from "../../src/serve/auth/key-folder.ts";
import { KeyRing } from "../../src/serve/auth/key-ring.ts";
import { exportRoutes } from "../../src/serve/export-routes.ts";
import { registerRegistryRoutes } from "../../src/serve/registry-routes.ts";
import { type HttpServer, type ServerOptions, createServer } from "../../src/serve/server.ts";
import { topicRoutes } from "../../src/serve/topic-routes.ts";

const timed = { fields: [], key: "id", time: "at", dedupHorizonMs: 0, partitions: 1, retention: {} };
const model: GraphModel = {
  format: 1,
  name: "test",
  events: [
    { ...timed, name: "playback" },
    { ...timed, name: "purchase" },
  ],
  sideInputs: [{ fields: [], key: "id", name: "catalogue" }],
  nodes: [],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

export interface Serving {
  readonly server: HttpServer;
  readonly access: CheckedAccess;
  readonly metrics: Registry;
  /** What queries were asked with. */
  readonly contexts: QueryContext[];
  /** Headers with a new key of these scopes. */
  readonly as: (...scopes: readonly string[]) => Promise<{ host: string; authorization: string }>;
  audit(): Promise<AuditRecord[]>;
  close(): Promise<void>;
}

export interface ServingWishes extends Partial<CheckedAccessOptions> {
  readonly server?: Partial<ServerOptions>;
}

const said = async (): Promise<Record<string, never>> => ({});
/** Each method says nothing, whatever it is asked. */
const mute = new Proxy({}, { get: (_, name) => (name === "then" ? undefined : said) });

export async function openServing({ server: more, ...wishes }: ServingWishes = {}): Promise<Serving> {
  const data = await mkdtemp(join(tmpdir(), "rdg-auth-"));
  const clock: Clock = wishes.clock ?? systemClock;
  const folder = new KeyFolder(data);
  const keys = new KeyRing({ folder, clock: systemClock, timers: systemTimers, notice: () => undefined });
  await keys.open();
  const audit = new AuditLog({ data, clock: systemClock, fileBytesMax: 1e6, filesMax: 2 });
  const metrics = new Registry();
  const access = new CheckedAccess({ keys, audit, limits: {}, metrics, notice: () => undefined, ...wishes, clock });
  const contexts: QueryContext[] = [];
  const ask = async (_request: unknown, context: QueryContext): Promise<{ json: Uint8Array }> => {
    contexts.push(context);
    return { json: Buffer.from("{}") };
  };
  const queries = new Proxy(mute, { get: (_, name) => (name === "traverse" ? ask : said) }) as unknown as Queries;
  const accepted = { accepted: 1, positions: [], duplicate: false, rejected: [], rejectedCount: 0 };
  const gateway = {
    produce: async () => accepted,
    produceMixed: async () => accepted,
    close: said,
  } as unknown as Gateway;
  const server = createServer({
    model,
    clock: systemClock,
    timers: systemTimers,
    access,
    gateway,
    queries,
    metrics,
    status: () => ({}),
    routes: [
      (app, bounds) => registerRegistryRoutes(app, mute as SchemaRegistry, bounds),
      (app, bounds) => exportRoutes(app, { scan: async function* () {} }, bounds),
      (app, bounds) => {
        const openTopic = async function* () {} as never;
        topicRoutes(
          app,
          { openTopic: async () => (openTopic as () => AsyncGenerator<never>)(), verifyStore: said as never },
          bounds,
        );
      },
    ],
    ...more,
    settings: { port: 0, closeTimeoutMs: 50, ...more?.settings },
  });
  return {
    server,
    access,
    metrics,
    contexts,
    async as(...scopes) {
      const { secret } = await folder.create({ name: "test", scopes }, systemClock.now());
      return { host: "localhost", authorization: `Bearer ${secret}` };
    },
    async audit() {
      await audit.close();
      const records: AuditRecord[] = [];
      for await (const record of readAudit(data)) if (record !== undefined) records.push(record);
      return records;
    },
    async close() {
      await server.close();
      keys.close();
      await audit.close();
      await rm(data, { recursive: true, force: true });
    },
  };
}
