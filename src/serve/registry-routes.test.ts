// The registry's REST API as foreign clients see it: Confluent's client for JavaScript over a real port, and its paths and error codes one by one.
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SchemaRegistry as ForeignClient, SchemaType } from "@kafkajs/confluent-schema-registry";
import avro from "avsc";
import fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { openEmbeddedRegistry } from "../schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import { ByteBudget } from "./byte-budget.ts";
import { Admission } from "./guards.ts";
import { registerRegistryRoutes } from "./registry-routes.ts";

const subject = "events.order-value";
const one = JSON.stringify({
  type: "record",
  name: "order",
  namespace: "shop",
  fields: [{ name: "id", type: "string" }],
});
const two = one.replace("]}", ',{"name":"note","type":["null","string"],"default":null}]}');
const incompatible = one.replace("]}", ',{"name":"must","type":"string"}]}');

let folder: string;
let registry: SchemaRegistry;
let app: FastifyInstance;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-registry-routes-"));
  registry = await openEmbeddedRegistry({ folder });
  app = fastify({ routerOptions: { maxParamLength: 4096 } });
  const refusal = (): RdgError => new RdgError("overloaded", "too_many_requests", "Too much.");
  const others = new Admission("requests", 64);
  const otherBodies = new ByteBudget({ bytesMax: 1e8, graceMs: 1000, clock: systemClock, refusal });
  await app.register(async (scope) => registerRegistryRoutes(scope, registry, { otherBodies, others }));
});

afterEach(async () => {
  await app.close();
  await registry.close();
  await rm(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly body: any;
  readonly type: string | undefined;
}

async function call(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<Answer> {
  const answer = await app.inject({
    method,
    url: `/registry${path}`,
    ...(body === undefined
      ? {}
      : { payload: JSON.stringify(body), headers: { "content-type": "application/vnd.schemaregistry.v1+json" } }),
  });
  return { status: answer.statusCode, body: answer.json(), type: answer.headers["content-type"]?.toString() };
}

test("a foreign client registers, finds, encodes and decodes, and is refused what cannot be read", async () => {
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const client = (): ForeignClient =>
    new ForeignClient({ host: `http://127.0.0.1:${port}/registry`, retry: { retries: 0 } });
  const writer = client();
  const { id } = await writer.register({ type: SchemaType.AVRO, schema: one }, { subject });
  expect(await writer.register({ type: SchemaType.AVRO, schema: one }, { subject })).toEqual({ id });
  const encoded = await writer.encode(id, { id: "o1" });
  expect(encoded.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, id]));
  expect(avro.Type.forSchema(JSON.parse(await registry.byId(id))).fromBuffer(encoded.subarray(5))).toEqual({
    id: "o1",
  });
  expect(await client().decode(encoded)).toEqual({ id: "o1" });
  const { id: later } = await writer.register({ type: SchemaType.AVRO, schema: two }, { subject });
  expect(await client().getLatestSchemaId(subject)).toBe(later);
  expect(await client().getRegistryId(subject, 1)).toBe(id);
  expect(await client().getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema: two })).toBe(later);
  await expect(writer.register({ type: SchemaType.AVRO, schema: incompatible }, { subject })).rejects.toMatchObject({
    status: 409,
  });
  await expect(client().getSchema(99)).rejects.toMatchObject({ status: 404 });
});

test("subjects, versions and ids", async () => {
  expect(await call("GET", "/subjects")).toEqual({
    status: 200,
    body: [],
    type: "application/vnd.schemaregistry.v1+json",
  });
  expect((await call("POST", `/subjects/${subject}/versions`, { schema: one })).body).toEqual({ id: 1 });
  expect(
    (await call("POST", `/subjects/${subject}/versions`, { schema: two, schemaType: "AVRO", references: [] })).body,
  ).toEqual({ id: 2 });
  expect((await call("POST", "/subjects/a%2Fb%20c/versions", { schema: one })).body).toEqual({ id: 1 });
  expect((await call("GET", "/subjects")).body).toEqual(["a/b c", subject]);
  expect((await call("GET", `/subjects/${subject}/versions`)).body).toEqual([1, 2]);
  const first = { subject, version: 1, id: 1, schema: one };
  expect((await call("GET", `/subjects/${subject}/versions/1`)).body).toEqual(first);
  expect((await call("GET", `/subjects/${subject}/versions/latest`)).body).toMatchObject({ version: 2 });
  expect((await call("GET", `/subjects/${subject}/versions/-1`)).body).toMatchObject({ version: 2 });
  expect((await call("GET", `/subjects/${subject}/versions/1/schema`)).body).toEqual(JSON.parse(one));
  expect((await call("GET", `/subjects/${subject}/versions/1/referencedby`)).body).toEqual([]);
  expect((await call("POST", `/subjects/${subject}`, { schema: ` ${one}` })).body).toEqual(first);
  expect((await call("GET", "/schemas/ids/1")).body).toEqual({ schema: one });
  expect((await call("GET", "/schemas/ids/1/schema")).body).toEqual(JSON.parse(one));
  expect((await call("GET", "/schemas/ids/1/subjects")).body).toEqual(["a/b c", subject]);
  expect((await call("GET", "/schemas/ids/2/versions")).body).toEqual([{ subject, version: 2 }]);
  expect((await call("GET", "/schemas/types")).body).toEqual(["AVRO"]);
});

test("deletion, soft and permanent", async () => {
  for (const schema of [one, two]) await registry.register(subject, schema);
  expect((await call("DELETE", `/subjects/${subject}/versions/1?permanent=true`)).body.error_code).toBe(40407);
  expect((await call("DELETE", `/subjects/${subject}/versions/1`)).body).toBe(1);
  expect((await call("DELETE", `/subjects/${subject}/versions/1`)).body.error_code).toBe(40406);
  expect((await call("GET", `/subjects/${subject}/versions?deleted=true`)).body).toEqual([1, 2]);
  expect((await call("GET", `/subjects/${subject}/versions/1`)).body.error_code).toBe(40402);
  expect((await call("GET", `/subjects/${subject}/versions/1?deleted=true`)).body.id).toBe(1);
  expect((await call("POST", `/subjects/${subject}`, { schema: one })).body.error_code).toBe(40403);
  expect((await call("POST", `/subjects/${subject}?deleted=true`, { schema: one })).body.version).toBe(1);
  expect((await call("DELETE", `/subjects/${subject}/versions/1?permanent=true`)).body).toBe(1);
  expect((await call("DELETE", `/subjects/${subject}?permanent=true`)).body.error_code).toBe(40405);
  expect((await call("DELETE", `/subjects/${subject}`)).body).toEqual([2]);
  expect((await call("DELETE", `/subjects/${subject}`)).body.error_code).toBe(40404);
  expect((await call("GET", "/subjects?deleted=true")).body).toEqual([subject]);
  expect((await call("DELETE", `/subjects/${subject}?permanent=true`)).body).toEqual([2]);
  expect(await call("GET", `/subjects/${subject}/versions`)).toMatchObject({
    status: 404,
    body: { error_code: 40401 },
  });
  expect((await call("GET", "/schemas/ids/1")).status).toBe(200);
});

test("compatibility is asked and set", async () => {
  expect((await call("GET", "/config")).body).toEqual({ compatibilityLevel: "BACKWARD" });
  expect(await call("GET", `/config/${subject}`)).toMatchObject({ status: 404, body: { error_code: 40408 } });
  expect((await call("GET", `/config/${subject}?defaultToGlobal=true`)).body).toEqual({
    compatibilityLevel: "BACKWARD",
  });
  const asked = `/compatibility/subjects/${subject}/versions`;
  expect((await call("POST", `${asked}/latest`, { schema: one })).body).toEqual({ is_compatible: true });
  await registry.register(subject, one);
  expect((await call("POST", `${asked}/latest`, { schema: two })).body).toEqual({ is_compatible: true });
  expect((await call("POST", `${asked}/1?verbose=true`, { schema: incompatible })).body).toEqual({
    is_compatible: false,
    messages: [
      "version 1: the new schema cannot read earlier records: must: the field was not written and has no default",
    ],
  });
  expect((await call("POST", `${asked}?verbose=true`, { schema: incompatible })).body.messages).toHaveLength(1);
  expect((await call("POST", `${asked}/9`, { schema: two })).body.error_code).toBe(40402);
  expect((await call("PUT", `/config/${subject}`, { compatibility: "none" })).body).toEqual({ compatibility: "NONE" });
  expect((await call("POST", `${asked}/latest`, { schema: incompatible })).body).toEqual({ is_compatible: true });
  expect((await call("PUT", "/config", { compatibility: "FULL" })).body).toEqual({ compatibility: "FULL" });
  expect((await call("DELETE", `/config/${subject}`)).body).toEqual({ compatibility: "NONE" });
  expect((await call("DELETE", `/config/${subject}`)).body.error_code).toBe(40408);
  expect((await call("DELETE", "/config")).body).toEqual({ compatibility: "BACKWARD" });
});

test.each([
  ["GET", "/subjects/none/versions", undefined, 404, 40401],
  ["GET", "/subjects/none/versions/1", undefined, 404, 40401],
  ["GET", "/schemas/ids/7", undefined, 404, 40403],
  ["GET", "/schemas/ids/7/versions", undefined, 404, 40403],
  ["GET", "/schemas/ids/x", undefined, 404, 404],
  ["GET", "/subjects/none/versions/0", undefined, 422, 42202],
  ["GET", "/subjects/none/versions/2147483648", undefined, 422, 42202],
  ["POST", "/subjects/s/versions", { schema: '{"type":"record"}' }, 422, 42201],
  ["POST", "/subjects/s/versions", { schema: "{" }, 422, 42201],
  ["POST", "/subjects/s/versions", {}, 422, 42201],
  ["POST", "/subjects/s/versions", { schema: "{}", schemaType: "PROTOBUF" }, 422, 42201],
  [
    "POST",
    "/subjects/s/versions",
    { schema: '"int"', references: [{ name: "a", subject: "b", version: 1 }] },
    422,
    42201,
  ],
  ["POST", "/subjects/s/versions", [], 400, 400],
  ["POST", "/subjects/a%0Ab/versions", { schema: '"int"' }, 422, 42208],
  ["PUT", "/config", { compatibility: "SIDEWAYS" }, 422, 42203],
  ["PUT", "/mode", { mode: "READONLY" }, 422, 42205],
] as const)("%s %s %j answers %i, %i", async (method, path, body, status, code) => {
  expect(await call(method, path, body)).toMatchObject({
    status,
    body: { error_code: code, message: expect.any(String) as string },
  });
});

test("an incompatible schema answers 409 with the reasons; the mode can be read", async () => {
  await registry.register(subject, one);
  const answer = await call("POST", `/subjects/${subject}/versions`, { schema: incompatible });
  expect(answer).toMatchObject({ status: 409, body: { error_code: 409 } });
  expect(answer.body.message).toContain("must: the field was not written and has no default");
  expect((await call("GET", "/mode")).body).toEqual({ mode: "READWRITE" });
  expect((await call("GET", `/mode/${subject}`)).body).toEqual({ mode: "READWRITE" });
});

test("a body that is no JSON or too large is refused", async () => {
  const post = (payload: string): Promise<{ statusCode: number }> =>
    app.inject({
      method: "POST",
      url: "/registry/subjects/s/versions",
      payload,
      headers: { "content-type": "application/json" },
    });
  expect((await post("{")).statusCode).toBe(400);
  expect((await post(JSON.stringify({ schema: "x".repeat(3_000_000) }))).statusCode).toBe(413);
  expect((await post(JSON.stringify({ schema: `"${"x".repeat(2_000_000)}"` }))).statusCode).toBe(422);
});
