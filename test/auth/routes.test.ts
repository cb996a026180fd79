// Access over HTTP: every route has its need, who does not meet it is refused before anything else is looked at, and what needs `admin` is recorded.
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import { AuditLog } from "../../src/serve/auth/audit-log.ts";
import { routeNeeds } from "../../src/serve/auth/route-needs.ts";
import { ManualTime } from "../log/manual-time.ts";
import { type Serving, openServing } from "./serving.ts";

type Method = "GET" | "POST" | "PUT" | "DELETE" | "HEAD";
type Headers = Readonly<Record<string, string>>;

let serving: Serving;
const routes: string[] = [];
beforeAll(async () => {
  serving = await openServing();
  serving.server.app.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) if (each !== "HEAD") routes.push(`${each} ${url}`);
  });
  await serving.server.app.ready();
});
afterAll(() => serving.close());

const ask = async (
  route: string,
  headers: Headers = { host: "localhost" },
  payload?: string,
): Promise<{ status: number; code: string; challenge: unknown }> => {
  const [method, url] = route.split(" ") as [Method, string];
  const json = payload === undefined ? {} : { "content-type": "application/json" };
  const answer = await serving.server.app.inject({
    method,
    url,
    headers: { ...json, ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
  let code = "";
  try {
    code = (JSON.parse(answer.body) as { code?: string }).code ?? "";
  } catch {
    // Not every answer is JSON.
  }
  return { status: answer.statusCode, code, challenge: answer.headers["www-authenticate"] };
};
const pathOf = (route: string): string => route.replaceAll(/:\w+/g, "x");

describe("the table of routes", () => {
  test("has every route of the server, and none that there is not", () => {
    expect(routes.length).toBeGreaterThan(40);
    expect(routes.filter((route) => !Object.hasOwn(routeNeeds, route))).toEqual([]);
    expect(Object.keys(routeNeeds).filter((route) => !routes.includes(route))).toEqual([]);
  });

  test("leaves open those two only that a load balancer asks", async () => {
    const open: string[] = [];
    for (const route of routes) {
      const { status, challenge } = await ask(pathOf(route));
      if (status === 401) expect([route, challenge]).toEqual([route, 'Bearer realm="rdg"']);
      else open.push(route);
    }
    expect(open.sort()).toEqual(["GET /livez", "GET /readyz"]);
  });

  test("HEAD is as GET", async () => {
    const { statusCode } = await serving.server.app.inject({
      method: "HEAD",
      url: "/v1/status",
      headers: { host: "localhost" },
    });
    expect(statusCode).toBe(401);
  });

  test("a route that is not in it is for admin only", async () => {
    const other = await openServing({
      server: { routes: [(app) => void app.get("/v1/new", (_request, reply) => reply.send("new"))] },
    });
    try {
      const get = async (headers: Headers): Promise<number> =>
        (await other.server.app.inject({ url: "/v1/new", headers })).statusCode;
      expect(await get({ host: "localhost" })).toBe(401);
      expect(await get(await other.as("read", "produce", "observe"))).toBe(403);
      expect(await get(await other.as("admin"))).toBe(200);
    } finally {
      await other.close();
    }
  });
});

describe("scopes", () => {
  const cases: [string, string, readonly string[], readonly string[]][] = [
    [
      "sending an event",
      "POST /v1/events/playback",
      ["produce", "produce:playback", "admin"],
      ["produce:purchase", "produce:catalogue", "read", "observe"],
    ],
    ["sending rows", "POST /v1/inputs/catalogue", ["produce", "produce:catalogue"], ["produce:playback", "read"]],
    ["CloudEvents", "POST /v1/cloudevents", ["produce", "produce:playback"], ["read", "observe"]],
    ["traversals", "POST /v1/traverse", ["read", "read:title", "admin"], ["produce", "observe"]],
    ["a node", "GET /v1/nodes/title/t1", ["read", "read:title"], ["read:account", "produce"]],
    ["an edge", "GET /v1/edges/watched/a/b", ["read", "read:watched"], ["read:title"]],
    ["the definition", "GET /v1/definition", ["read:title", "produce:playback", "observe"], []],
    ["status", "GET /v1/status", ["observe", "read", "admin"], ["read:title", "produce"]],
    ["metrics", "GET /metrics", ["observe", "read"], ["read:title", "produce"]],
    ["records of a type", "GET /v1/topics/nodes.title/records", ["read", "read:title"], ["read:account", "observe"]],
    [
      "records of events",
      "GET /v1/topics/events.playback/records",
      ["admin"],
      ["read", "produce", "read:playback", "observe"],
    ],
    ["the whole graph", "GET /v1/export", ["read", "admin"], ["read:title", "produce", "observe"]],
    ["quarantined records", "GET /v1/topics/quarantine.gateway/records", ["admin"], ["read", "produce"]],
    ["the proof", "POST /v1/store/verify", ["admin"], ["read", "produce", "observe"]],
    ["reading schemas", "GET /registry/subjects", ["produce:playback", "read:title", "observe"], []],
    ["registering schemas", "POST /registry/subjects/x/versions", ["admin"], ["produce", "read"]],
    ["deleting schemas", "DELETE /registry/subjects/x", ["admin"], ["produce", "read"]],
    ["compatibility", "PUT /registry/config", ["admin"], ["produce", "read"]],
  ];
  test.each(cases)("%s: %s", async (_, route, enough, tooLittle) => {
    for (const scope of enough) {
      expect([scope, (await ask(route, await serving.as(scope), "{}")).status]).not.toEqual([
        scope,
        expect.toBeOneOf([401, 403]),
      ]);
    }
    for (const scope of tooLittle) {
      const { status, challenge } = await ask(route, await serving.as(scope), "{}");
      expect([scope, status, challenge]).toEqual([scope, 403, 'Bearer realm="rdg", error="insufficient_scope"']);
    }
  });

  test("queries know which types their caller may read, and who pays", async () => {
    const { server, contexts, access } = serving;
    const payload = "{}";
    const post = async (headers: Headers): Promise<(typeof contexts)[number]> => {
      await server.app.inject({
        method: "POST",
        url: "/v1/traverse",
        headers: { ...headers, "content-type": "application/json" },
        payload,
      });
      return contexts.at(-1)!;
    };
    const narrow = await post(await serving.as("read:title", "read:watched"));
    expect(["title", "watched", "account"].map((type) => narrow.mayRead!(type))).toEqual([true, true, false]);
    expect((await post(await serving.as("read"))).mayRead).toBeUndefined();
    expect((await post(await serving.as("read"))).charge).toBeDefined();
    expect(access.limiter.size).toBe(0);
  });
});

describe("bad credentials", () => {
  test.each([
    ["Basic YTpi"],
    ["Bearer"],
    [`Bearer rdg_${"0".repeat(12)}_${"0".repeat(40)}`],
    ["Bearer a.b.c"],
    [`Bearer ${"x".repeat(10_000)}`],
  ])("%j", async (authorization) => {
    const { status, code, challenge } = await ask("GET /v1/status", { host: "localhost", authorization });
    expect([status, code, challenge]).toEqual([401, "bad_credentials", 'Bearer realm="rdg", error="invalid_token"']);
  });

  test("of two headers none counts, also when the first would do", async () => {
    const { port } = await serving.server.listen();
    const { authorization } = await serving.as("read");
    const headers = ["host", "localhost", "authorization", authorization, "Authorization", "Bearer other"];
    const answer = request({ host: "127.0.0.1", port, path: "/v1/definition", headers }).end();
    const [{ statusCode }] = (await once(answer, "response")) as [IncomingMessage];
    expect(statusCode).toBe(401);
    answer.destroy();
  });

  test("a registry client gets them in Confluent's form", async () => {
    const answer = await serving.server.app.inject({ url: "/registry/subjects", headers: { host: "localhost" } });
    expect([answer.statusCode, answer.json()]).toEqual([
      401,
      { error_code: 401, message: expect.any(String) as string },
    ]);
  });

  test("are refused before the body is read", async () => {
    let asked = false;
    const gateway = { produce: async () => (asked = true), close: async () => undefined } as never;
    const other = await openServing({ server: { gateway } });
    try {
      const { statusCode } = await other.server.app.inject({
        method: "POST",
        url: "/v1/events/playback",
        headers: { host: "localhost", "content-type": "application/json" },
        payload: "x".repeat(1_000_000),
      });
      expect(statusCode).toBe(401);
      expect(other.server.bounds.eventBodies.bytes).toBe(0);
      expect(asked).toBe(false);
    } finally {
      await other.close();
    }
  });
});

describe("rates", () => {
  test("too many requests, and traversals that cost too much, are refused with the time to wait", async () => {
    const clock = new ManualTime(systemClock.now());
    const other = await openServing({ clock, limits: { requestsPerSecond: 2, scannedPerSecond: 1_000 } });
    try {
      const headers = { ...(await other.as("read")), "content-type": "application/json" };
      const traverse = async (): Promise<[number, unknown]> => {
        const { statusCode, headers: answered } = await other.server.app.inject({
          method: "POST",
          url: "/v1/traverse",
          headers,
          payload: "{}",
        });
        return [statusCode, answered["retry-after"]];
      };
      for (let i = 0; i < 4; i++) expect(await traverse()).toEqual([200, undefined]);
      expect(await traverse()).toEqual([429, "1"]);
      clock.advance(2_000);
      expect(await traverse()).toEqual([200, undefined]);
      other.contexts.at(-1)!.charge!(12_000);
      expect(await traverse()).toEqual([429, "11"]);
      clock.advance(10_000);
      expect((await traverse())[0]).toBe(429);
      clock.advance(1_000);
      expect((await traverse())[0]).toBe(200);
      const text = await other.metrics.metrics();
      expect(text).toContain('rdg_access_requests_total{by="key",outcome="rate_limited"} 3');
      expect(text).toContain('rdg_access_requests_total{by="key",outcome="entered"} 6');
    } finally {
      await other.close();
    }
  });
});

describe("the audit log", () => {
  test("has what needs admin, from before it is done to how it ended, and who was refused", async () => {
    const other = await openServing();
    try {
      const [admin, reader] = [await other.as("admin"), await other.as("read")];
      const verify = (headers: Headers) =>
        other.server.app.inject({ method: "POST", url: "/v1/store/verify?token=hidden", headers });
      expect((await verify(admin)).statusCode).toBe(200);
      expect((await verify(reader)).statusCode).toBe(403);
      expect((await verify({ host: "localhost" })).statusCode).toBe(401);
      await other.server.app.inject({ url: "/v1/status", headers: reader });
      await expect.poll(async () => (await other.audit()).length).toBe(4);
      const records = await other.audit();
      const [, id] = admin.authorization.split("_");
      const operation = { operation: "POST /v1/store/verify", target: "/v1/store/verify" };
      const who = { id: `key:${id}`, name: "test" };
      const byEvent = (event: string) => records.filter((record) => record.event === event);
      expect(byEvent("admin.begun")).toMatchObject([{ who, ...operation }]);
      expect(byEvent("admin.ended")).toMatchObject([{ who, ...operation, status: 200 }]);
      expect(
        byEvent("admin.denied")
          .map(({ status }) => String(status))
          .sort(),
      ).toEqual(["no_credentials", "scope_missing"]);
      const text = JSON.stringify(records);
      for (const { authorization } of [admin, reader]) expect(text).not.toContain(authorization.split("_")[2]);
      expect(text).not.toContain("hidden");
    } finally {
      await other.close();
    }
  });

  test("is a condition: what cannot be recorded is not done", async () => {
    let proved = false;
    class FullDisk extends AuditLog {
      override async record(): Promise<void> {
        throw new RdgError("unavailable", "audit_failed", "The disk is full.");
      }
    }
    const audit = new FullDisk({ data: "/nowhere", clock: systemClock, fileBytesMax: 1, filesMax: 1 });
    const other = await openServing({
      audit,
      server: { routes: [(app) => void app.post("/v1/store/verify", async () => ((proved = true), "done"))] },
    });
    try {
      const headers = await other.as("admin");
      const { statusCode } = await other.server.app.inject({ method: "POST", url: "/v1/store/verify", headers });
      expect([statusCode, proved]).toEqual([503, false]);
    } finally {
      await other.close();
    }
  });

  test("is not filled by whoever is refused: it counts them", async () => {
    const clock = new ManualTime(systemClock.now());
    const other = await openServing({ clock });
    try {
      const denied = () =>
        other.server.app.inject({ method: "POST", url: "/v1/store/verify", headers: { host: "localhost" } });
      for (let i = 0; i < 300; i++) await denied();
      expect(await other.audit()).toHaveLength(100);
      clock.advance(1_000);
      await denied();
      expect((await other.audit()).at(-1)).toMatchObject({ event: "admin.denied", suppressed: 200 });
    } finally {
      await other.close();
    }
  });
});

describe("pages of other origins", () => {
  const app = "https://app.example.com";

  test("are answered nothing that they may read, unless they are named", async () => {
    const headers = await serving.as("read");
    const preflight = { host: "localhost", origin: app, "access-control-request-method": "POST" };
    const refused = await serving.server.app.inject({ method: "OPTIONS", url: "/v1/traverse", headers: preflight });
    expect([refused.statusCode, refused.headers["access-control-allow-origin"]]).toEqual([403, undefined]);
    for (const origin of [app, "null", "http://evil.localhost"]) {
      const answer = await serving.server.app.inject({ url: "/v1/definition", headers: { ...headers, origin } });
      expect([
        answer.statusCode,
        Object.keys(answer.headers).filter((name) => name.startsWith("access-control")),
      ]).toEqual([403, []]);
    }
  });

  test("that are named may ask, with a token of their own, and no others", async () => {
    const other = await openServing({ server: { settings: { corsOrigins: [app] } } });
    try {
      const headers = await other.as("read");
      const inject = other.server.app.inject.bind(other.server.app);
      const preflight = { host: "localhost", origin: app, "access-control-request-method": "POST" };
      const asked = await inject({ method: "OPTIONS", url: "/v1/traverse", headers: preflight });
      expect(asked.statusCode).toBe(204);
      expect(asked.headers).toMatchObject({
        "access-control-allow-origin": app,
        "access-control-allow-headers": expect.stringContaining("authorization") as string,
        vary: "origin",
      });
      expect(asked.headers["access-control-allow-credentials"]).toBeUndefined();
      const answer = await inject({ url: "/v1/definition", headers: { ...headers, origin: app } });
      expect([answer.statusCode, answer.headers["access-control-allow-origin"]]).toEqual([200, app]);
      const unknown = await inject({ url: "/v1/definition", headers: { host: "localhost", origin: app } });
      expect([unknown.statusCode, unknown.headers["access-control-allow-origin"]]).toEqual([401, app]);
      for (const origin of [`${app}.evil.com`, "https://evil.com", app.replace("https", "http"), "null"]) {
        const refused = await inject({ url: "/v1/definition", headers: { ...headers, origin } });
        expect([refused.statusCode, refused.headers["access-control-allow-origin"]]).toEqual([403, undefined]);
      }
    } finally {
      await other.close();
    }
  });
});
