// The product with authentication: what it refuses to start with, what narrow keys get of a graph, and that no secret is told anywhere.
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { count, defineGraph, edge, event, job, node, t } from "rdg";
import { connect } from "rdg/client/grpc";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type EmbeddedSettings, type RunningRdg, embeddedSettings, startEmbedded } from "../../src/compose.ts";
import { systemClock } from "../../src/core/clock.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { readAudit } from "../../src/serve/auth/audit-log.ts";
import { KeyFolder } from "../../src/serve/auth/key-folder.ts";
import { runCli } from "../cli/run-cli.ts";
import { ServerProcess } from "../crash/server-process.ts";
import { type Collector, startCollector } from "./collector.ts";
import { type SigningKey, jwksOf, newKey, tokenOf } from "./issuer.ts";

const view = event("view", {
  key: "userId",
  time: "at",
  fields: { userId: t.string(), pageId: t.string(), at: t.timestamp() },
});
const user = node("user");
const page = node("page", { views: t.counter() });
const viewed = edge("viewed", user, page, { properties: { times: t.counter() } });
const fromView = job(view, { window: "0s" }).emit((e) => [
  user.upsert(e.userId),
  page.upsert(e.pageId, { views: count(1) }),
  viewed.upsert(e.userId, e.pageId, { times: count(1) }),
]);
const graph = defineGraph("views", { jobs: [fromView] });
const graphFile = fileURLToPath(new URL("../crash/graph.ts", import.meta.url));

const settingsOf = (data: string, settings: Partial<EmbeddedSettings> = {}): EmbeddedSettings => ({
  ...resolveSettings(embeddedSettings, {}).values,
  port: 0,
  data,
  "log.level": "silent",
  ...settings,
});

let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "rdg-product-"));
});
afterEach(() => rm(data, { recursive: true, force: true }));

const newSecret = async (...scopes: readonly string[]): Promise<string> =>
  (await new KeyFolder(data).create({ name: "test", scopes }, systemClock.now())).secret;

describe("a server does not start", () => {
  const refusals: [string, Partial<EmbeddedSettings>, string, string][] = [
    ["beyond loopback without authentication", { host: "0.0.0.0" }, "not_loopback", "no authentication"],
    [
      "beyond loopback with authentication off",
      { host: "0.0.0.0", "auth.mode": "off", "tls.off": true },
      "not_loopback",
      "no authentication",
    ],
    ["beyond loopback without TLS", { host: "0.0.0.0", "auth.mode": "on" }, "not_loopback", "no TLS"],
    ["on every IPv6 address without TLS", { host: "::", "auth.mode": "on" }, "not_loopback", "no TLS"],
    ["with a mode that there is not", { "auth.mode": "yes" }, "bad_setting", "auth.mode"],
    [
      "with a JWKS and no audience",
      { "auth.jwks": "https://a.example/jwks", "auth.issuer": "a" },
      "bad_setting",
      "auth.audience",
    ],
    [
      "with a JWKS and authentication off",
      { "auth.jwks": "jwks.json", "auth.issuer": "a", "auth.audience": "b", "auth.mode": "off" },
      "bad_setting",
      "auth.mode",
    ],
    [
      "with a JWKS that would come unencrypted",
      { "auth.jwks": "http://a.example/jwks", "auth.issuer": "a", "auth.audience": "b" },
      "bad_jwks_location",
      "unencrypted",
    ],
    ["with a certificate and no key", { "tls.cert": "a.pem" }, "bad_setting", "tls.key"],
    [
      "with a certificate that is not there",
      { "tls.cert": "/nowhere/a.pem", "tls.key": "/nowhere/b.pem" },
      "bad_tls",
      "tls.cert",
    ],
    ["with clients and nobody who signs for them", { "tls.clients": "clients.json" }, "bad_setting", "tls.clientCa"],
    ["with an authority of clients and no TLS", { "tls.clientCa": "ca.pem" }, "bad_setting", "tls.cert"],
  ];
  test.each(refusals)("%s", async (_, settings, code, text) => {
    const error = await startEmbedded(graph, settingsOf(data, settings)).then(
      async (running) => running.close(),
      (error: Error) => error,
    );
    expect(error).toMatchObject({ kind: "invalid", code });
    expect(error!.message).toContain(text);
  });
});

describe("a server with keys", () => {
  let running: RunningRdg;
  const start = async (settings: Partial<EmbeddedSettings> = {}): Promise<void> => {
    running = await startEmbedded(graph, settingsOf(data, settings));
    await running.ready;
  };
  afterEach(() => running.close());

  const post = async (
    secret: string | undefined,
    path: string,
    body: unknown,
  ): Promise<{ status: number; answer: any }> => {
    const response = await fetch(running.url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      },
      body: JSON.stringify(body),
    });
    return { status: response.status, answer: await response.json() };
  };
  /** Users who viewed one page; answers the positions to wait for. */
  const fill = async (
    secret: string | undefined,
    users: readonly string[] = ["ada", "bob"],
  ): Promise<readonly string[]> => {
    const at = new Date(systemClock.now()).toISOString();
    const views = users.map((userId) => ({ userId, pageId: "home", at }));
    const { status, answer } = await post(secret, "/v1/events/view", views);
    expect(status).toBe(202);
    return answer.positions as string[];
  };

  test("asks for them from the first one on, also after the last was revoked and a restart, unless it is told not to", async () => {
    await start();
    const waitFor = await fill(undefined);
    await running.close();
    const secret = await newSecret("read");
    await start();
    const query = { query: "(user {id: 'ada'})-[:viewed]->(page)", waitFor };
    expect((await post(secret, "/v1/query", query)).status).toBe(200);
    expect((await post(undefined, "/v1/query", query)).status).toBe(401);
    await new KeyFolder(data).revoke(secret.split("_")[1]!);
    await expect.poll(async () => (await post(secret, "/v1/query", query)).status, { timeout: 10_000 }).toBe(401);
    await running.close();
    await start();
    expect((await post(undefined, "/v1/query", query)).status).toBe(401);
    await running.close();
    await start({ "auth.mode": "off" });
    expect((await post(undefined, "/v1/query", query)).status).toBe(200);
  });

  test("gives a narrow key the types that it names, in every way of asking, and charges what it scans", async () => {
    const admin = await newSecret("admin");
    await start({ "rate.scanned": 1_000_000 });
    const waitFor = await fill(admin);
    const narrow = await newSecret("read:user", "read:viewed");
    const wide = await newSecret("read");
    const from = { type: "user", ids: ["ada"] };
    const hop = (edge: string) => ({ from, hops: [{ edge }], waitFor });
    expect((await post(wide, "/v1/traverse", hop("viewed"))).status).toBe(200);
    const refused: [string, unknown][] = [
      ["/v1/traverse", hop("viewed")],
      ["/v1/traverse", { from: { type: "page", ids: ["home"] }, hops: [] }],
      ["/v1/query", { query: "(user {id: 'ada'})-[:viewed]->(page)" }],
      ["/v1/nodes", { type: "page", ids: ["home"] }],
      ["/v1/common-neighbours", { of: { type: "user", ids: ["ada", "bob"] }, edge: "viewed" }],
      ["/v1/shortest-path", { from: { type: "user", id: "ada" }, to: { type: "page", id: "home" } }],
    ];
    for (const [path, body] of refused) {
      const { status, answer } = await post(narrow, path, body);
      expect([path, status, answer.code]).toEqual([path, 403, "type_not_readable"]);
    }
    const get = async (secret: string, path: string): Promise<number> =>
      (await fetch(running.url + path, { headers: { authorization: `Bearer ${secret}` } })).status;
    expect(await get(narrow, "/v1/nodes/user/ada")).toBe(200);
    expect(await get(narrow, "/v1/nodes/page/home")).toBe(403);
    expect(await get(narrow, "/v1/topics/nodes.page/records?from=start&limit=1")).toBe(403);
    expect(await get(wide, "/v1/topics/nodes.page/records?from=start&limit=1")).toBe(200);
    // "*" passes by what may not be read, also where somebody else's continuation would lead there.
    const any = await post(narrow, "/v1/traverse", { from, hops: [{ edge: "*" }] });
    expect(JSON.stringify(any.answer)).not.toContain("home");
    const cut = await post(wide, "/v1/traverse", {
      from: { type: "page", ids: ["home"] },
      hops: [{ edge: "viewed", direction: "in", limit: 1 }],
    });
    const token = (JSON.stringify(cut.answer).match(/"continue":"([^"]+)"/) ??
      /"next":"([^"]+)"/.exec(JSON.stringify(cut.answer)))?.[1];
    expect(token).toBeDefined();
    expect((await post(wide, "/v1/traverse", { continue: token })).status).toBe(200);
    expect((await post(narrow, "/v1/traverse", { continue: token })).status).toBe(403);
  });

  test("refuses a key that has caused more scanning than it may, until it is paid for", async () => {
    const admin = await newSecret("admin");
    await start({ "rate.scanned": 1 });
    const waitFor = await fill(
      admin,
      Array.from({ length: 100 }, (_, i) => `user ${i}`),
    );
    const secret = await newSecret("read");
    const ask = () =>
      post(secret, "/v1/traverse", {
        from: { type: "page", ids: ["home"] },
        hops: [{ edge: "viewed", direction: "in" }],
        waitFor,
      });
    expect((await ask()).status).toBe(200);
    const { status, answer } = await ask();
    expect([status, answer.code]).toEqual([429, "rate_limited"]);
  });

  test("takes tokens of an issuer, and records which definition runs", async () => {
    const key: SigningKey = newKey("k");
    const jwks = join(data, "jwks.json");
    await mkdir(data, { recursive: true });
    await writeFile(jwks, jwksOf(key));
    await start({ "auth.jwks": jwks, "auth.issuer": "https://issuer", "auth.audience": "rdg" });
    const exp = Math.floor(systemClock.now() / 1_000) + 60;
    const token = tokenOf(key, { iss: "https://issuer", aud: "rdg", sub: "me", exp, scope: "produce:view" });
    await fill(token);
    expect((await post(token, "/v1/traverse", {})).status).toBe(403);
    const records = [];
    for await (const record of readAudit(data)) records.push(record);
    expect(records).toMatchObject([
      { event: "definition.deployed", target: "views", details: { fingerprint: graph.fingerprint } },
    ]);
  });
});

describe("the command line", () => {
  let server: ServerProcess;
  let folder: string;
  let serverData: string;
  let collector: Collector;
  beforeAll(async () => {
    collector = await startCollector();
    folder = await mkdtemp(join(tmpdir(), "rdg-secrets-"));
    serverData = join(folder, "data");
    server = new ServerProcess(serverData, graphFile);
  });
  afterAll(async () => {
    await server.kill();
    await collector.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("makes, uses and revokes keys; neither key nor token is told by a log, a span, an answer, metrics, status, settings or a file", async () => {
    const keys = (...args: string[]) => runCli(["keys", ...args, "--data", serverData]);
    const made = await keys("create", "everything", "--scope", "admin", "--expires", "1d", "--json");
    expect(made.code).toBe(0);
    const { key, id } = JSON.parse(made.out) as { key: string; id: string };
    const limited = (
      await keys("create", "limited", "--scope", "observe", "read:nothing", "--requests", "1")
    ).out.trim();
    expect((await keys("list")).out).toContain(`${id}  everything  admin  made `);
    await server.start(["--log-level", "debug", "--otel-endpoint", collector.url]);
    const url = server.url!;
    const told: string[] = [];
    const rdg = async (args: string[], env: Record<string, string> = {}): Promise<number | null> => {
      const { code, out, err } = await runCli([...args, "--url", url], { env: { RDG_TOKEN: "", ...env } });
      told.push(out, err);
      return code;
    };
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, `${key}\n`);
    expect(await rdg(["status"])).toBe(4);
    expect(told.at(-1)).toContain("rdg keys create");
    expect(await rdg(["status"], { RDG_TOKEN: key })).toBe(0);
    expect(await rdg(["store", "verify", "--token-file", tokenFile])).toBe(0);
    expect(await rdg(["status", "--token-file", join(folder, "nowhere")])).toBe(3);
    const ask = async (path: string, headers: Record<string, string>, init: RequestInit = {}): Promise<number> => {
      const response = await fetch(url + path, { ...init, headers });
      told.push(await response.text(), JSON.stringify([...response.headers]));
      return response.status;
    };
    const authorization = `Bearer ${key}`;
    for (const path of ["/v1/status", "/metrics", "/v1/definition", "/v1/openapi.json"]) {
      expect([path, await ask(path, { authorization })]).toEqual([path, 200]);
    }
    expect(await ask("/v1/status", { authorization: `Basic ${key}` })).toBe(401);
    expect(await ask("/v1/status", { authorization: `${authorization}x` })).toBe(401);
    expect(await ask("/v1/status", { authorization: `${authorization} ${key}` })).toBe(401);
    expect(await ask("/v1/traverse", { authorization }, { method: "POST", body: key })).toBe(415);
    expect(await ask("/registry/subjects", { authorization: `Bearer ${key.slice(0, -1)}` })).toBe(401);
    expect(await ask("/v1/status", { authorization: `Bearer ${limited}` })).toBe(200);
    expect(await ask("/v1/status", { authorization: `Bearer ${limited}` })).toBe(200);
    expect(await ask("/v1/status", { authorization: `Bearer ${limited}` })).toBe(429);
    // Nor where it does not belong.
    expect(await ask(`/v1/status?key=${key}`, { authorization, tracestate: "a=b" })).toBe(200);
    const { grpc } = (await (await fetch(`${url}/v1/status`, { headers: { authorization } })).json()) as {
      grpc: string;
    };
    await using client = connect(`grpc://${grpc}`, { token: key });
    await client.nodes(user, ["nobody"]).catch((error: unknown) => told.push(String(error)));
    expect((await keys("revoke", id)).code).toBe(0);
    await expect.poll(() => ask("/v1/status", { authorization }), { timeout: 10_000 }).toBe(401);
    const audit = await runCli(["audit", "--data", serverData]);
    expect(audit.out).toMatch(
      /key\.created .*\n(.*\n)*.*admin\.begun .*POST \/v1\/store\/verify.*\n(.*\n)*.*key\.revoked /,
    );
    told.push(audit.out, audit.err, (await runCli(["config", "--data", serverData], { env: { RDG_TOKEN: key } })).out);
    await server.stop("SIGTERM");
    const { messages } = await server.ended;
    expect(messages).toContain('"scopes":["read:nothing"]');
    told.push(messages);
    const spans = collector.received.join("\n");
    expect(spans).toContain("/v1/status");
    expect(spans).toContain("rdg.v1.GraphService/GetNodes");
    told.push(spans);
    for (const file of await readdir(serverData, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) told.push(await readFile(join(file.parentPath, file.name), "latin1"));
    }
    const everything = told.join("\n");
    expect(everything.length).toBeGreaterThan(10_000);
    for (const secret of [key, limited]) expect(everything).not.toContain(secret.split("_")[2]!.slice(0, 30));
  });
});
