// The schema registry as Confluent's REST API under /registry: what its clients, Kafka Connect and console tools ask for. Avro only, no references.
//
// Answers follow Confluent's: `{"error_code": 40401, "message": "..."}` with their codes, content type application/vnd.schemaregistry.v1+json. Beyond them: a
// permanently deleted schema stays readable by its id, since records refer to it.
import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyReply } from "fastify";
import { RdgError, describeError } from "../core/errors.ts";
import type { Compatibility, RegisteredSchema, SchemaRegistry } from "../schemas/port.ts";
import { keepOpenAfterRefusal, takeBodies } from "./bodies.ts";
import { admit } from "./guards.ts";
import { cut, problemOf, retryAfterOf } from "./problems.ts";
import type { ServerBounds } from "./server.ts";

const prefix = "/registry";
const contentType = "application/vnd.schemaregistry.v1+json";
/** A schema has at most 1 MiB; as text within JSON it may double. */
const bodyBytesMax = 2_500_000;
const compatibilities: readonly string[] = [
  "NONE",
  "BACKWARD",
  "BACKWARD_TRANSITIVE",
  "FORWARD",
  "FORWARD_TRANSITIVE",
  "FULL",
  "FULL_TRANSITIVE",
] satisfies readonly Compatibility[];

type Body = Readonly<Record<string, unknown>>;
type Query = Readonly<Record<string, unknown>>;
interface Route {
  Params: { subject: string; version: string; id: string };
  Querystring: Query;
}

class RegistryError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
    this.status = code < 1000 ? code : Math.floor(code / 100);
  }
}

/** Adds the routes to a scope of their own: they have their own parsers and their own way of telling errors. */
export function registerRegistryRoutes(
  app: FastifyInstance,
  registry: SchemaRegistry,
  { otherBodies, others }: Pick<ServerBounds, "otherBodies" | "others">,
): void {
  const types = [contentType, "application/vnd.schemaregistry+json", "application/json", "application/octet-stream"];
  takeBodies(app, types, bodyBytesMax, otherBodies);
  admit(app, others);
  app.setErrorHandler((error, request, reply) => {
    keepOpenAfterRefusal(request, reply);
    const known = confluentError(error);
    const retryAfter = retryAfterOf(error);
    if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
    return send(reply.code(known.status), { error_code: known.code, message: known.message });
  });
  schemaRoutes(app, registry);
  subjectRoutes(app, registry);
  versionRoutes(app, registry);
  compatibilityRoutes(app, registry);
  configRoutes(app, registry);
  modeRoutes(app);
}

function schemaRoutes(app: FastifyInstance, registry: SchemaRegistry): void {
  app.get(prefix, (_request, reply) => send(reply, {}));
  app.get(`${prefix}/schemas/types`, (_request, reply) => send(reply, ["AVRO"]));
  app.get<Route>(`${prefix}/schemas/ids/:id`, async ({ params }, reply) =>
    send(reply, { schema: await registry.byId(idOf(params.id)) }),
  );
  app.get<Route>(`${prefix}/schemas/ids/:id/schema`, async ({ params }, reply) =>
    sendText(reply, await registry.byId(idOf(params.id))),
  );
  app.get<Route>(`${prefix}/schemas/ids/:id/versions`, async ({ params, query }, reply) => {
    const uses = await usesOf(registry, idOf(params.id), flag(query, "deleted"));
    return send(
      reply,
      uses.map(({ subject, version }) => ({ subject, version })),
    );
  });
  app.get<Route>(`${prefix}/schemas/ids/:id/subjects`, async ({ params, query }, reply) => {
    const uses = await usesOf(registry, idOf(params.id), flag(query, "deleted"));
    return send(reply, [...new Set(uses.map(({ subject }) => subject))]);
  });
}

function subjectRoutes(app: FastifyInstance, registry: SchemaRegistry): void {
  app.get<Route>(`${prefix}/subjects`, async ({ query }, reply) =>
    send(reply, await registry.subjects({ deleted: flag(query, "deleted") })),
  );
  app.post<Route>(`${prefix}/subjects/:subject`, async ({ params: { subject }, query, body }, reply) => {
    const deleted = flag(query, "deleted");
    await registry.versions(subject, { deleted });
    const found = await registry.lookup(subject, schemaOf(body), { deleted });
    if (found === undefined) throw new RegistryError(40403, "Schema not found");
    return send(reply, answerOf(found));
  });
  app.delete<Route>(`${prefix}/subjects/:subject`, async ({ params: { subject }, query }, reply) =>
    send(reply, await registry.deleteSubject(subject, { permanent: flag(query, "permanent") })),
  );
}

function versionRoutes(app: FastifyInstance, registry: SchemaRegistry): void {
  const versions = `${prefix}/subjects/:subject/versions`;
  app.get<Route>(versions, async ({ params: { subject }, query }, reply) =>
    send(reply, await registry.versions(subject, { deleted: flag(query, "deleted") })),
  );
  app.post<Route>(versions, async ({ params: { subject }, body }, reply) => {
    const { id } = await registry.register(subject, schemaOf(body));
    return send(reply, { id });
  });
  const find = ({ subject, version }: Route["Params"], query: Query): Promise<RegisteredSchema> =>
    registry.version(subject, versionOf(version), { deleted: flag(query, "deleted") });
  app.get<Route>(`${versions}/:version`, async ({ params, query }, reply) =>
    send(reply, answerOf(await find(params, query))),
  );
  app.get<Route>(`${versions}/:version/schema`, async ({ params, query }, reply) =>
    sendText(reply, (await find(params, query)).schema),
  );
  app.get<Route>(`${versions}/:version/referencedby`, async ({ params, query }, reply) => {
    await find(params, query);
    return send(reply, []);
  });
  app.delete<Route>(`${versions}/:version`, async ({ params: { subject, version }, query }, reply) =>
    send(reply, await registry.deleteVersion(subject, versionOf(version), { permanent: flag(query, "permanent") })),
  );
}

function compatibilityRoutes(app: FastifyInstance, registry: SchemaRegistry): void {
  const versions = `${prefix}/compatibility/subjects/:subject/versions`;
  const check = async (
    subject: string,
    version: number | "latest" | undefined,
    body: unknown,
    verbose: boolean,
  ): Promise<unknown> => {
    const messages = await registry.incompatibilities(subject, schemaOf(body), version);
    return { is_compatible: messages.length === 0, ...(verbose ? { messages } : {}) };
  };
  app.post<Route>(`${versions}/:version`, async ({ params: { subject, version }, query, body }, reply) =>
    send(reply, await check(subject, versionOf(version), body, flag(query, "verbose"))),
  );
  app.post<Route>(versions, async ({ params: { subject }, query, body }, reply) =>
    send(reply, await check(subject, undefined, body, flag(query, "verbose"))),
  );
}

function configRoutes(app: FastifyInstance, registry: SchemaRegistry): void {
  const config = `${prefix}/config`;
  app.get(config, async (_request, reply) => send(reply, { compatibilityLevel: await registry.compatibility() }));
  app.put(config, async ({ body }, reply) => {
    const compatibility = compatibilityOf(body);
    await registry.setCompatibility(compatibility);
    return send(reply, { compatibility });
  });
  app.delete(config, async (_request, reply) => {
    await registry.setCompatibility(undefined);
    return send(reply, { compatibility: await registry.compatibility() });
  });
  app.get<Route>(`${config}/:subject`, async ({ params: { subject }, query }, reply) => {
    const own = await registry.ownCompatibility(subject);
    if (own === undefined && !flag(query, "defaultToGlobal")) throw notConfigured(subject);
    return send(reply, { compatibilityLevel: own ?? (await registry.compatibility()) });
  });
  app.put<Route>(`${config}/:subject`, async ({ params: { subject }, body }, reply) => {
    const compatibility = compatibilityOf(body);
    await registry.setCompatibility(compatibility, subject);
    return send(reply, { compatibility });
  });
  app.delete<Route>(`${config}/:subject`, async ({ params: { subject } }, reply) => {
    const own = await registry.ownCompatibility(subject);
    if (own === undefined) throw notConfigured(subject);
    await registry.setCompatibility(undefined, subject);
    return send(reply, { compatibility: own });
  });
}

/** There is one mode; tools that look at it before they write are told so, and changing it is refused. */
function modeRoutes(app: FastifyInstance): void {
  for (const path of [`${prefix}/mode`, `${prefix}/mode/:subject`]) {
    app.get(path, (_request, reply) => send(reply, { mode: "READWRITE" }));
    app.put(path, () => {
      throw new RegistryError(42205, "The mode is READWRITE and cannot be changed");
    });
  }
}

function send(reply: FastifyReply, value: unknown): FastifyReply {
  return sendText(reply, JSON.stringify(value));
}

/** As bytes: to a text fastify would add a charset, which this content type does not have. */
function sendText(reply: FastifyReply, json: string): FastifyReply {
  return reply.type(contentType).send(Buffer.from(json));
}

function answerOf({ subject, version, id, schema }: RegisteredSchema): unknown {
  return { subject, version, id, schema };
}

/** Where a schema is used. Looks at every version there is: asked by people and tools, not by producers. */
async function usesOf(registry: SchemaRegistry, id: number, deleted: boolean): Promise<readonly RegisteredSchema[]> {
  await registry.byId(id);
  const uses: RegisteredSchema[] = [];
  for (const subject of await registry.subjects({ deleted })) {
    for (const version of await registry.versions(subject, { deleted })) {
      const found = await registry.version(subject, version, { deleted });
      if (found.id === id) uses.push(found);
    }
  }
  return uses;
}

function jsonOf(body: unknown): Body {
  let value: unknown;
  try {
    if (!Buffer.isBuffer(body) || !isUtf8(body)) throw new Error("no text");
    value = JSON.parse(body.toString());
  } catch {
    throw new RegistryError(400, "The body is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RegistryError(400, "The body is not a JSON object");
  return value as Body;
}

function schemaOf(body: unknown): string {
  const { schema, schemaType, references } = jsonOf(body);
  if (schemaType !== undefined && schemaType !== null && schemaType !== "AVRO") {
    throw new RegistryError(
      42201,
      `Schemas of the type ${cut(JSON.stringify(schemaType))} are not supported, only AVRO`,
    );
  }
  if (Array.isArray(references) && references.length > 0) {
    throw new RegistryError(42201, "References between schemas are not supported: write the types into one schema");
  }
  if (typeof schema !== "string" || schema === "")
    throw new RegistryError(42201, 'The body has no "schema" with the schema as text');
  return schema;
}

function compatibilityOf(body: unknown): Compatibility {
  const { compatibility } = jsonOf(body);
  const level = typeof compatibility === "string" ? compatibility.toUpperCase() : "";
  if (!compatibilities.includes(level)) {
    throw new RegistryError(42203, `Invalid compatibility level. Valid values are ${compatibilities.join(", ")}`);
  }
  return level as Compatibility;
}

function idOf(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new RegistryError(404, `HTTP 404 Not Found: "${text}" is not a schema id`);
  return Number(text);
}

function versionOf(text: string): number | "latest" {
  if (text === "latest" || text === "-1") return "latest";
  const version = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (version < 1 || version > 2 ** 31 - 1) {
    throw new RegistryError(
      42202,
      `The specified version '${text.slice(0, 100)}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "latest"`,
    );
  }
  return version;
}

function flag(query: Query, name: string): boolean {
  return query[name] === "true";
}

function notConfigured(subject: string): RegistryError {
  return new RegistryError(40408, `Subject '${subject}' does not have subject-level compatibility configured`);
}

const codes: ReadonlyMap<string, number> = new Map([
  ["subject_not_found", 40401],
  ["version_not_found", 40402],
  ["schema_not_found", 40403],
  ["subject_soft_deleted", 40404],
  ["subject_not_soft_deleted", 40405],
  ["version_soft_deleted", 40406],
  ["version_not_soft_deleted", 40407],
  ["incompatible_schema", 409],
  ["invalid_schema", 42201],
  ["invalid_subject", 42208],
]);

function confluentError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  if (error instanceof RdgError) {
    const { status } = problemOf(error);
    const code = codes.get(error.code) ?? (status === 400 ? 422 : status < 500 || status === 503 ? status : 50001);
    return new RegistryError(code, cut(describeError(error)));
  }
  const { statusCode } = (typeof error === "object" && error !== null ? error : {}) as {
    readonly statusCode?: unknown;
  };
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500)
    return new RegistryError(statusCode, "The request is malformed");
  return new RegistryError(50001, "Error in the backend data store");
}
