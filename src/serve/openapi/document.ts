// The OpenAPI 3.1 document: the schemas of the routes that there are, in OpenAPI's form. What is not served is not in it.
import type { DescribedRoute, DescribedRoutes } from "./describe-routes.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { ObjectSchema, RouteSchema, Variant } from "./operation.ts";

type Json = Readonly<Record<string, unknown>>;

export function openapiDocument({ model, routes, components }: DescribedRoutes, version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    for (const { path, method, operation } of operationsOf(route)) (paths[path] ??= {})[method] = operation;
  }
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: {
      title: `RDG: ${model.name}`,
      version,
      description:
        "Events in, a typed property graph out. A status of 500 is a bug of the server, told as a Problem, too.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{}, { key: [] }],
    tags: [...new Set(routes.flatMap(({ schema }) => schema?.tags ?? []))].map((name) => ({ name })),
    paths,
    components: {
      schemas: components(),
      securitySchemes: { key: { type: "http", scheme: "bearer", description: "An API key or a JWT." } },
    },
  };
}

interface PathOperation {
  readonly path: string;
  readonly method: string;
  readonly operation: Json;
}

function operationsOf({ method, url, schema }: DescribedRoute): PathOperation[] {
  const pathOf = (route: string): string => route.replaceAll(/:(\w+)/g, "{$1}");
  // It is there, and nobody described it: better said than left out.
  if (schema === undefined) return [{ path: pathOf(url), method: method.toLowerCase(), operation: {} }];
  const of = (path: string, told: RouteSchema): PathOperation => ({
    path: pathOf(path),
    method: method.toLowerCase(),
    operation: operationOf(told),
  });
  if (schema.variants.length === 0) return [of(url, schema)];
  return schema.variants.map((variant) =>
    of(url.replace(`:${variant.param}`, variant.value), variantOf(schema, variant)),
  );
}

function variantOf(schema: RouteSchema, { param, id, summary, body }: Variant): RouteSchema {
  const { params, ...rest } = schema;
  const { [param]: _, ...others } = params!.properties;
  const left = Object.keys(others).length === 0 ? {} : { params: objectOf(others, Object.keys(others)) };
  return { ...rest, ...left, operationId: id, summary, body };
}

function objectOf(properties: ObjectSchema["properties"], required: readonly string[]): ObjectSchema {
  return { type: "object", properties, required };
}

function operationOf({
  operationId,
  tags,
  summary,
  params,
  querystring,
  headers,
  body,
  response,
  open,
}: RouteSchema): Json {
  const parameters = [
    ...parametersOf("path", params),
    ...parametersOf("query", querystring),
    ...parametersOf("header", headers),
  ];
  return {
    operationId,
    tags,
    summary,
    ...(open ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: body } : {}),
    responses: response,
  };
}

function parametersOf(place: string, object: ObjectSchema | undefined): Json[] {
  return Object.entries(object?.properties ?? {}).map(([name, { description, ...schema }]: [string, JsonSchema]) => ({
    name,
    in: place,
    required: object!.required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}
