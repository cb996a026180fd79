// Gives every route its schema, and remembers the routes for the document. Routes are looked up here by method and path, so that a route file says how it
// answers and this folder says what: a route that nobody described is told to the tests.
import type { FastifyInstance } from "fastify";
import type { GraphModel } from "../../model/definition.ts";
import { graphSchemas } from "./graph-schemas.ts";
import type { Components } from "./graph-schemas.ts";
import { ingestOperations, ingestSchemas } from "./ingest-operations.ts";
import { type RouteSchema, routeSchemaOf } from "./operation.ts";
import { problemSchemas } from "./problem-schemas.ts";
import { queryOperations } from "./query-operations.ts";
import { questionSchemas } from "./question-schemas.ts";
import { registryOperations, registrySchemas } from "./registry-operations.ts";
import { serverOperations, serverSchemas } from "./server-operations.ts";
import { type RequestLimits, traversalSchemas } from "./traversal-schemas.ts";

export interface DescribedRoute {
  readonly method: string;
  /** As fastify writes it: `/v1/nodes/:type/:id`. */
  readonly url: string;
  readonly schema: RouteSchema | undefined;
}

export interface DescribedRoutes {
  readonly model: GraphModel;
  /** In order of registration; HEAD, which goes with every GET, is left out. */
  readonly routes: readonly DescribedRoute[];
  readonly components: () => Components;
}

/** To be called before any route is added. */
export function describeRoutes(app: FastifyInstance, model: GraphModel, limits: RequestLimits): DescribedRoutes {
  const operations = new Map(
    Object.entries({
      ...queryOperations(model),
      ...ingestOperations(model),
      ...serverOperations,
      ...registryOperations,
    }),
  );
  const routes: DescribedRoute[] = [];
  // Our own readers validate: their errors name the place, what is allowed and what was meant. That they agree with the schemas is tested.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.addHook("onRoute", (route) => {
    for (const method of [route.method].flat()) {
      const operation = operations.get(`${method} ${route.url}`);
      if (operation !== undefined) route.schema = routeSchemaOf(operation);
      if (method !== "HEAD") routes.push({ method, url: route.url, schema: route.schema as RouteSchema | undefined });
    }
  });
  const components = (): Components => ({
    ...problemSchemas,
    ...graphSchemas(model),
    ...traversalSchemas(limits),
    ...questionSchemas(limits),
    ...ingestSchemas,
    ...serverSchemas,
    ...registrySchemas,
  });
  return { model, routes, components };
}
