// The client of an external registry when that fails, is slow, wants to know who asks, or answers what Confluent's own never would.
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type Clock, systemTimers, type Timers } from "../../src/core/clock.ts";
import { seededRandom } from "../../src/core/random.ts";
import { openConfluentRegistry } from "../../src/schemas/confluent/registry.ts";
import type { ConfluentConnection, ConfluentSettings } from "../../src/schemas/confluent/settings.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { issue } from "../auth/der.ts";

const schema = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}';

/** Waiting takes no time; what was waited is told, and passes on the clock. */
class Hasty implements Clock, Timers {
  readonly waited: number[] = [];
  #ms = 0;
  now(): number {
    return this.#ms;
  }
  monotonicMs(): number {
    return this.#ms;
  }
  pass(ms: number): void {
    this.#ms += ms;
  }
  after(delayMs: number, run: () => void): () => void {
    return systemTimers.after(delayMs, run);
  }
  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.waited.push(delayMs);
    this.#ms += delayMs;
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;
type Reply = readonly [status: number, body: unknown, headers?: Readonly<Record<string, string>>] | "hang" | "cut";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Answers what is scripted, the last one again and again. */
async function serve(replies: readonly Reply[], asked: IncomingMessage[] = []): Promise<string> {
  let next = 0;
  const handle: Handler = (request, response) => {
    asked.push(request);
    const reply = replies[Math.min(next++, replies.length - 1)]!;
    if (reply === "hang") return;
    if (reply === "cut") return void request.socket.destroy();
    const [status, body, headers = {}] = reply;
    response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
  };
  return await listen(handle);
}

async function listen(handle: Handler): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => handle(request, response, Buffer.concat(chunks).toString()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function open(
  connection: ConfluentConnection,
  settings: Partial<ConfluentSettings> = {},
): { readonly registry: SchemaRegistry; readonly time: Hasty } {
  const time = new Hasty();
  const registry = openConfluentRegistry({ connection, clock: time, timers: time, settings, random: seededRandom(1) });
  closers.push(() => registry.close());
  return { registry, time };
}

test("failures that pass are repeated, with back-off and as the registry asks", async () => {
  const found = [200, { schema }] as const;
  const url = await serve([
    "cut",
    [500, "<html>"],
    [503, {}, { "retry-after": "3" }],
    [429, { error_code: 42901 }],
    found,
  ]);
  const { registry, time } = open({ urls: [url] });
  expect(await registry.byId(7)).toBe(schema);
  expect(time.waited).toHaveLength(4);
  expect(time.waited[0]).toBeGreaterThanOrEqual(25);
  expect(time.waited[2]).toBe(3000);
});

test("failures that stay are told, after as long as was said", async () => {
  const { registry, time } = open({ urls: [await serve([[500, { error_code: 50001, message: "Store down" }]])] });
  await expect(registry.byId(7)).rejects.toMatchObject({
    kind: "unavailable",
    code: "registry_unavailable",
    message: "The registry could not find the schema: Store down.",
    place: "schema 7",
  });
  expect(time.monotonicMs()).toBeGreaterThan(15_000);
  expect(time.monotonicMs()).toBeLessThanOrEqual(20_000);
});

test("nobody there, and no answer in time", async () => {
  const gone = open({ urls: ["http://user:secret@127.0.0.1:1"] }, { retryForMs: 0 });
  const failure: unknown = await gone.registry.subjects().catch((error: unknown) => error);
  expect(failure).toMatchObject({ kind: "unavailable", code: "registry_unavailable" });
  expect(String(failure)).toContain("ECONNREFUSED");
  expect(String(failure)).not.toContain("secret");
  const slow = open({ urls: [await serve(["hang"])] }, { retryForMs: 0, timeoutMs: 50 });
  await expect(slow.registry.subjects()).rejects.toMatchObject({
    kind: "unavailable",
    message: expect.stringContaining("no answer within 50 ms") as string,
  });
});

test("the next address is asked when one fails, and kept while it answers", async () => {
  const asked: IncomingMessage[] = [];
  const good = await serve([[200, []]], asked);
  const { registry, time } = open({ urls: ["http://127.0.0.1:1", good] });
  expect(await registry.subjects()).toEqual([]);
  expect(await registry.subjects()).toEqual([]);
  expect(asked).toHaveLength(2);
  expect(time.waited).toEqual([]);
});

test("a deletion is not repeated: the first may have been done", async () => {
  const asked: IncomingMessage[] = [];
  const { registry } = open({ urls: [await serve(["cut", [200, [1]]], asked)] });
  await expect(registry.deleteSubject("s")).rejects.toMatchObject({ kind: "unavailable" });
  expect(asked).toHaveLength(1);
});

test("what an id stands for is asked once, also by many at once; an unknown one is asked again after a while", async () => {
  const asked: IncomingMessage[] = [];
  const { registry, time } = open({
    urls: [
      await serve(
        [
          [200, { schema }],
          [404, { error_code: 40403 }],
        ],
        asked,
      ),
    ],
  });
  await Promise.all([registry.byId(1), registry.byId(1), registry.byId(1)]);
  await registry.byId(1);
  expect(asked).toHaveLength(1);
  for (let i = 0; i < 3; i++) await expect(registry.byId(2)).rejects.toMatchObject({ code: "schema_not_found" });
  expect(asked).toHaveLength(2);
  time.pass(5_001);
  await expect(registry.byId(2)).rejects.toMatchObject({ code: "schema_not_found" });
  expect(asked).toHaveLength(3);
});

test("who asks: a user and password, also in the address, and a token that is asked for again", async () => {
  const asked: IncomingMessage[] = [];
  const url = await serve([[200, []]], asked);
  const tokens = ["t1", "t2"];
  const basic = open({ urls: [url], auth: { username: "jörg", password: "a:b" } });
  await basic.registry.subjects();
  const inUrl = open({ urls: [url.replace("//", "//u:p%40@")] });
  await inUrl.registry.subjects();
  const bearer = open({ urls: [url], auth: { token: () => tokens.shift()! } });
  await bearer.registry.subjects();
  await bearer.registry.subjects();
  const encoded = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
  expect(asked.map(({ headers }) => headers.authorization)).toEqual([
    encoded("jörg:a:b"),
    encoded("u:p@"),
    "Bearer t1",
    "Bearer t2",
  ]);
});

test("who may not ask is told so, and nothing is repeated", async () => {
  const asked: IncomingMessage[] = [];
  const { registry } = open({ urls: [await serve([[401, { error_code: 40101, message: "Unauthorized" }]], asked)] });
  await expect(registry.byId(1)).rejects.toMatchObject({ kind: "unauthorized", code: "registry_forbidden" });
  expect(asked).toHaveLength(1);
});

test("TLS: an authority of one's own, a client's certificate, another name; without them it is refused", async () => {
  const ca = issue({ commonName: "authority" });
  const server = issue({ commonName: "registry.example", dns: ["registry.example"], issuer: ca });
  const client = issue({ commonName: "rdg", issuer: ca });
  const https = createSecureServer(
    { cert: server.cert, key: server.key, ca: ca.cert, requestCert: true, rejectUnauthorized: true },
    (_, response) => response.end("[]"),
  );
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    https.closeAllConnections();
    await new Promise((resolve) => https.close(resolve));
  });
  const urls = [`https://127.0.0.1:${(https.address() as AddressInfo).port}`];
  const tls = { ca: ca.cert, cert: client.cert, key: client.key, serverName: "registry.example" };
  expect(await open({ urls, tls }).registry.subjects()).toEqual([]);
  for (const wrong of [
    undefined,
    { ...tls, serverName: "other.example" },
    { ca: ca.cert, serverName: tls.serverName },
  ]) {
    const { registry } = open({ urls, ...(wrong && { tls: wrong }) }, { retryForMs: 0 });
    await expect(registry.subjects()).rejects.toMatchObject({ kind: "unavailable" });
  }
});

test("schemas that refer to those of other subjects come whole", async () => {
  const versions: Readonly<Record<string, unknown>> = {
    "/schemas/ids/1": {
      schema: JSON.stringify({
        type: "record",
        name: "Order",
        namespace: "shop",
        fields: [
          { name: "by", type: "people.Person" },
          { name: "to", type: ["null", "people.Person"] },
          { name: "items", type: { type: "array", items: "Item" } },
        ],
      }),
      references: [
        { name: "people.Person", subject: "person", version: 2 },
        { name: "shop.Item", subject: "item", version: 1 },
      ],
    },
    "/subjects/person/versions/2": {
      schema: '{"type":"record","name":"Person","namespace":"people","fields":[{"name":"at","type":"Place"}]}',
      references: [{ name: "people.Place", subject: "place", version: 1 }],
    },
    "/subjects/place/versions/1": { schema: '{"type":"enum","name":"people.Place","symbols":["HOME"]}' },
    "/subjects/item/versions/1": { schema: '{"type":"fixed","name":"shop.Item","size":4}' },
  };
  const url = await listen((request, response) => response.end(JSON.stringify(versions[request.url!])));
  const { registry } = open({ urls: [url] });
  const whole = JSON.parse(await registry.byId(1)) as { readonly fields: readonly { readonly type: unknown }[] };
  expect(whole.fields[0]!.type).toMatchObject({
    name: "Person",
    fields: [{ name: "at", type: { symbols: ["HOME"] } }],
  });
  expect(whole.fields[1]!.type).toEqual(["null", "people.Person"]);
  expect(whole.fields[2]!.type).toMatchObject({ items: { type: "fixed", size: 4 } });
});

test("a register that loses a race finds what the other one has registered", async () => {
  const registered = { subject: "s", version: 1, id: 4, schema };
  let posted = 0;
  const url = await listen((request, response) => {
    if (request.url!.startsWith("/subjects/s/versions") && posted++ === 0) {
      response.writeHead(409).end('{"error_code":409,"message":"An artifact with ID [s] already exists"}');
    } else response.end(JSON.stringify(registered));
  });
  expect(await open({ urls: [url] }).registry.register("s", schema)).toEqual(registered);
});

test.each([
  ["no JSON", [200, "<html>"]],
  ["another form", [200, { shema: "" }]],
  ["a schema of another kind", [200, { schema: "message M {}", schemaType: "PROTOBUF" }]],
  ["a page that is not there", [404, "not here"]],
  ["a redirect", [302, "", { location: "http://elsewhere.example" }]],
] satisfies readonly (readonly [string, Reply])[])("%s is refused", async (_, reply) => {
  const { registry } = open({ urls: [await serve([reply])] });
  const error: unknown = await registry.version("s", 1).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ kind: "invalid" });
});

test.each([[[]], [["registry:8081"]], [["ftp://registry"]], [["not an address"]]])(
  "an address that is none: %j",
  (urls) => {
    expect(() => open({ urls })).toThrow(expect.objectContaining({ code: "bad_registry_url" }) as Error);
  },
);

test("closing ends what waits", async () => {
  const { registry } = open({ urls: [await serve(["hang"])] });
  const waiting = registry.subjects();
  await Promise.all([expect(waiting).rejects.toMatchObject({ kind: "closed" }), registry.close()]);
});
