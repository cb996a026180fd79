// Who may ask the gRPC server, whether it is well, and how it ends.
import { once } from "node:events";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { RpcClient, openLoopback } from "../../../test/grpc/loopback.ts";
import {
  model,
  open,
  serve,
  start,
  end,
  nodes,
  traversing,
  failing,
  until,
  producePath,
  batch,
} from "../../../test/grpc/small-server.ts";
import { RdgError } from "../../core/errors.ts";
import type { Gateway } from "../../gateway/port.ts";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthListRequest,
  HealthListResponse,
} from "../../model/rpc/generated/grpc/health/v1/health.ts";
import { ProduceRequest, ProduceResponse } from "../../model/rpc/generated/rdg/v1/ingest_service.ts";
import type { Access, Principal } from "../auth/port.ts";

describe("access", () => {
  const principal: Principal = {
    kind: "key",
    id: "key:1",
    name: "one",
    grants: { admin: false, observe: false, read: new Set(["n"]), produce: new Set(["other"]) },
  };
  const entered: unknown[] = [];
  const charged: number[] = [];
  const access: Access = {
    required: true,
    enter: (credentials, need, { name }) => {
      entered.push({ authorization: credentials.authorization, scope: need.scope, name });
      if (need.scope === "open") return principal;
      const [token] = credentials.authorization;
      if (token === "Bearer late") return Promise.resolve(principal);
      if (token === "Bearer good") return principal;
      throw new RdgError("unauthorized", "no_credentials", "Who are you?");
    },
    charge: (_principal, scanned) => charged.push(scanned),
    ended: () => undefined,
  };

  test("is asked before the message is read; the query learns what may be read and who pays", async () => {
    const readable: unknown[] = [];
    const queries = traversing(async function* ({ mayRead, charge }) {
      readable.push(mayRead?.("n"), mayRead?.("m"));
      charge?.(7);
      yield end;
    });
    const { port, client } = await serve({ queries, grpc: { access } });
    await expect(client.traverse(start)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    for (const token of ["good", "late"]) {
      const asking = new RpcClient(`127.0.0.1:${port}`, {}, { authorization: `Bearer ${token}` });
      open.push(asking);
      await asking.traverse(start);
    }
    expect(readable).toEqual([true, false, true, false]);
    expect(charged).toEqual([7, 7]);
    expect(entered[0]).toEqual({ authorization: [], scope: "read", name: "/rdg.v1.GraphService/Traverse" });
  });

  test("is needed for each event, and not for health", async () => {
    const { port, client } = await serve({ gateway: {} as Gateway, grpc: { access } });
    const asking = new RpcClient(`127.0.0.1:${port}`, {}, { authorization: "Bearer good" });
    open.push(asking);
    const refused = asking.unary(producePath, ProduceRequest, ProduceResponse, batch("{}"));
    await expect(refused).rejects.toMatchObject({ code: status.PERMISSION_DENIED, reason: "SCOPE_MISSING" });
    const path = "/grpc.health.v1.Health/Check";
    const health = await client.unary(path, HealthCheckRequest, HealthCheckResponse, { service: "" });
    expect(health.status).toBe(ServingStatus.SERVING);
  });

  test("is a must beyond loopback, encryption too", async () => {
    const host = { settings: { host: "0.0.0.0" } };
    await expect(serve({ grpc: host })).rejects.toMatchObject({ code: "not_loopback" });
    await expect(serve({ grpc: { ...host, access } })).rejects.toMatchObject({ code: "not_loopback" });
  });
});

describe("health", () => {
  test("follows readiness, for the server and each service", async () => {
    let ready = false;
    const queries = failing(new Error("not asked"));
    const { client } = await serve({
      queries,
      grpc: { readiness: () => ({ ready }), settings: { healthIntervalMs: 5 } },
    });
    const check = (service: string): Promise<HealthCheckResponse> =>
      client.unary("/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse, { service });
    expect(await check("")).toEqual({ status: ServingStatus.NOT_SERVING });
    const request = { service: "rdg.v1.GraphService" };
    const watched = client.stream("/grpc.health.v1.Health/Watch", HealthCheckRequest, HealthCheckResponse, request);
    const next = async (): Promise<ServingStatus> => ((await once(watched, "data")) as [HealthCheckResponse])[0].status;
    expect(await next()).toBe(ServingStatus.NOT_SERVING);
    ready = true;
    expect(await next()).toBe(ServingStatus.SERVING);
    expect(await check("rdg.v1.GraphService")).toEqual({ status: ServingStatus.SERVING });
    await expect(check("rdg.v1.IngestService")).rejects.toMatchObject({ code: status.NOT_FOUND });
    const { statuses } = await client.unary("/grpc.health.v1.Health/List", HealthListRequest, HealthListResponse, {});
    expect([...statuses.keys()]).toEqual(["", "rdg.v1.GraphService"]);
    watched.on("error", () => undefined);
    watched.cancel();
  });

  test("tells who watches that the server closes, which does not wait for them", async () => {
    const loopback = await openLoopback({
      model,
      grpc: { settings: { healthIntervalMs: 10_000, closeTimeoutMs: 60_000 } },
    });
    const request = { service: "" };
    const path = "/grpc.health.v1.Health/Watch";
    const watched = loopback.client.stream(path, HealthCheckRequest, HealthCheckResponse, request);
    await once(watched, "data");
    const last = once(watched, "data") as Promise<[HealthCheckResponse]>;
    await loopback.grpc.close();
    expect((await last)[0].status).toBe(ServingStatus.NOT_SERVING);
    await loopback.close();
  });
});

describe("the end", () => {
  test("waits for calls under way, and takes no more", async () => {
    let go = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      go = resolve;
    });
    let answer = (): void => undefined;
    const queries = traversing(async function* () {
      go();
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      yield nodes(1, "late");
      yield end;
    });
    const loopback = await openLoopback({ model, queries });
    const call = loopback.client.traverse(start);
    await asked;
    const closed = loopback.grpc.close();
    const late = new RpcClient(`127.0.0.1:${loopback.port}`);
    await expect(late.traverse(start)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    late.close();
    answer();
    expect((await call).chunks[0]!.nodes[0]!.id).toBe("n0");
    await closed;
    await loopback.close();
  });

  test("comes after a while also for calls that do not", async () => {
    const queries = traversing(async function* ({ signal }) {
      await once(signal, "abort");
      yield end;
    });
    const loopback = await openLoopback({ model, queries, grpc: { settings: { closeTimeoutMs: 30 } } });
    const call = loopback.client.traverse(start).catch((error: unknown) => error);
    await until(() => loopback.http.bounds.queries.running === 1);
    await loopback.grpc.close();
    expect(await call).toMatchObject({ code: status.UNAVAILABLE });
    await until(() => loopback.http.bounds.queries.running === 0);
    await loopback.close();
  });
});
