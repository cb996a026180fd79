// The OpenAPI description of a whole running server: valid, complete, and the same that the routes have.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import streaming from "../../examples/streaming/graph.ts";
import { type RunningRdg, embeddedSettings, startEmbedded } from "../../src/compose.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { defaultTraversalLimits } from "../../src/query/traversal-plan.ts";
import { requestLimits } from "../../src/serve/openapi/traversal-schemas.ts";

interface Operation {
  readonly operationId?: string;
  readonly responses?: Readonly<Record<string, unknown>>;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: unknown }>> };
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

let folder: string;
let rdg: RunningRdg;
let document: Document;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-openapi-"));
  const { values } = resolveSettings(embeddedSettings, { flags: { data: folder, port: 0, "log.level": "silent" } });
  rdg = await startEmbedded(streaming, values);
  await rdg.ready;
  document = (await (await fetch(`${rdg.url}/v1/openapi.json`)).json()) as Document;
});

afterAll(async () => {
  await rdg.close();
  await rm(folder, { recursive: true, force: true });
});

const operations = (): { readonly name: string; readonly operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  );

describe("the description", () => {
  test("is valid OpenAPI 3.1", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document) as Record<string, unknown> & Document);
    expect(errors).toBeUndefined();
    expect([valid, validator.version]).toEqual([true, "3.1"]);
  });

  test("describes every route of the server", () => {
    const undescribed = operations().filter(({ operation }) => operation.operationId === undefined);
    expect(undescribed.map(({ name }) => name)).toEqual([]);
    expect(operations().length).toBeGreaterThan(40);
  });

  test("names every operation once", () => {
    const names = operations().map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
  });

  test("has a parameter for every part of a path, and no other", () => {
    for (const { name, operation } of operations()) {
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, part]) => part);
      const described = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
      expect([name, described.map((parameter) => parameter.name)]).toEqual([name, inPath]);
      expect(described.every(({ required }) => required)).toBe(true);
    }
  });

  test("refers to nothing that is not there", () => {
    const referred = new Set(
      [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name),
    );
    const known = new Set(Object.keys(document.components.schemas));
    expect([...referred].filter((name) => !known.has(name!))).toEqual([]);
  });

  test("has a path per event and side input, with its fields", () => {
    const paths = Object.keys(document.paths).filter((path) => /^\/v1\/(events|inputs)\//.test(path));
    expect(paths).toEqual(["/v1/events/playback", "/v1/events/account_closed", "/v1/inputs/catalogue"]);
    const { schema } = document.paths["/v1/events/playback"]!["post"]!.requestBody!.content["application/json"]!;
    expect(JSON.stringify(schema)).toContain("#/components/schemas/Event_playback");
    expect(document.components.schemas["Event_playback"]).toMatchObject({
      additionalProperties: false,
      required: ["accountId", "profileId", "deviceId", "action", "positionMs", "at"],
      properties: { action: { enum: ["start", "progress", "stop"] } },
    });
    expect(document.components.schemas["EdgeType"]).toEqual({
      type: "string",
      enum: ["has_profile", "uses", "watched"],
    });
  });

  test("states the limits that the readers keep", () => {
    const { timeoutMsMax: _, ...limits } = requestLimits;
    expect(defaultTraversalLimits).toMatchObject(limits);
  });
});
