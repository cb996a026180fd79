// What operators and tools ask: status, definition, liveness, readiness, metrics.
import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import type { AskedEnrichmentModel, GraphModel, ServedDefinition } from "../model/definition.ts";
import { type Admission, admit } from "./guards.ts";

/** `reason` says why not; `warnings`, what is the matter although it is ready. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string | undefined;
  readonly warnings?: readonly string[];
}

export interface Operations {
  readonly model: GraphModel;
  /** Of the definition, beside its model. */
  readonly enrichments?: readonly AskedEnrichmentModel[] | undefined;
  /** What `GET /v1/status` answers. */
  readonly status?: (() => unknown) | undefined;
  readonly readiness?: (() => Readiness | Promise<Readiness>) | undefined;
  readonly metrics?: Registry | undefined;
}

const jsonType = "application/json; charset=utf-8";

export function operationRoutes(app: FastifyInstance, operations: Operations, admission: Admission): void {
  const { model, enrichments = [], readiness } = operations;
  // How they are loaded is the server's own matter.
  const asked = enrichments.map(({ name, on, fields }) => ({ name, on, fields }));
  const served: ServedDefinition = asked.length === 0 ? model : { ...model, enrichments: asked };
  const definition = JSON.stringify(served);
  app.get("/v1/definition", (_request, reply) => reply.type(jsonType).send(definition));
  app.get("/livez", (_request, reply) => reply.type("text/plain; charset=utf-8").send("ok\n"));
  app.get("/readyz", async (_request, reply) => {
    const found = (await readiness?.()) ?? { ready: true };
    return reply
      .code(found.ready ? 200 : 503)
      .type(jsonType)
      .send(JSON.stringify(found));
  });
  void app.register(async (scope) => figureRoutes(scope, operations, admission));
}

/** What costs something to tell. */
function figureRoutes(app: FastifyInstance, { status, metrics }: Operations, admission: Admission): void {
  admit(app, admission);
  if (status) {
    app.get("/v1/status", async (_request, reply) => reply.type(jsonType).send(JSON.stringify(await status())));
  }
  if (metrics) {
    app.get("/metrics", async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
  }
}
