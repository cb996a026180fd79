// What each HTTP route needs: the one table. A route that is not here is for `admin` only, and a test fails.
import type { FastifyRequest } from "fastify";
import type { Need } from "./port.ts";

type NeedOf = (params: Readonly<Record<string, string | undefined>>) => Need;

const open: NeedOf = () => ({ scope: "open" });
const any: NeedOf = () => ({ scope: "any" });
const read: NeedOf = () => ({ scope: "read" });
const readAll: NeedOf = () => ({ scope: "read", all: true });
const readType: NeedOf = ({ type }) => ({ scope: "read", type });
const produce: NeedOf = ({ name }) => ({ scope: "produce", name });
const observe: NeedOf = () => ({ scope: "observe" });
const admin: NeedOf = () => ({ scope: "admin" });

/** Topics of types hold what the graph holds; events, rows and quarantined records hold more. */
const records: NeedOf = ({ topic = "" }) => {
  const { type } = /^(?:nodes|edges)\.(?<type>.+)$/.exec(topic)?.groups ?? {};
  return type === undefined ? { scope: "admin" } : { scope: "read", type };
};

/** By method and fastify's pattern. HEAD is GET. */
export const routeNeeds: Readonly<Record<string, NeedOf>> = {
  "GET /livez": open,
  "GET /readyz": open,

  "POST /v1/events/:name": produce,
  "POST /v1/inputs/:name": produce,
  "POST /v1/cloudevents": produce,

  "POST /v1/traverse": read,
  "POST /v1/query": read,
  "GET /v1/nodes/:type/:id": readType,
  "GET /v1/edges/:type/:from/:to": readType,
  "POST /v1/nodes": read,
  "POST /v1/edges": read,
  "POST /v1/count": read,
  "POST /v1/shortest-path": read,
  "POST /v1/common-neighbours": read,

  "GET /v1/export": readAll,

  "GET /v1/definition": any,
  "GET /v1/openapi.json": any,
  "GET /v1/status": observe,
  "GET /metrics": observe,

  "GET /v1/topics/:topic/records": records,
  "POST /v1/store/verify": admin,

  "GET /registry": any,
  "GET /registry/schemas/types": any,
  "GET /registry/schemas/ids/:id": any,
  "GET /registry/schemas/ids/:id/schema": any,
  "GET /registry/schemas/ids/:id/versions": any,
  "GET /registry/schemas/ids/:id/subjects": any,
  "GET /registry/subjects": any,
  "POST /registry/subjects/:subject": any,
  "DELETE /registry/subjects/:subject": admin,
  "GET /registry/subjects/:subject/versions": any,
  "POST /registry/subjects/:subject/versions": admin,
  "GET /registry/subjects/:subject/versions/:version": any,
  "GET /registry/subjects/:subject/versions/:version/schema": any,
  "GET /registry/subjects/:subject/versions/:version/referencedby": any,
  "DELETE /registry/subjects/:subject/versions/:version": admin,
  "POST /registry/compatibility/subjects/:subject/versions": any,
  "POST /registry/compatibility/subjects/:subject/versions/:version": any,
  "GET /registry/config": any,
  "PUT /registry/config": admin,
  "DELETE /registry/config": admin,
  "GET /registry/config/:subject": any,
  "PUT /registry/config/:subject": admin,
  "DELETE /registry/config/:subject": admin,
  "GET /registry/mode": any,
  "PUT /registry/mode": admin,
  "GET /registry/mode/:subject": any,
  "PUT /registry/mode/:subject": admin,
};

/** undefined for paths that lead nowhere. */
export function needOf(request: FastifyRequest): Need | undefined {
  const { url } = request.routeOptions;
  if (url === undefined) return undefined;
  const method = request.method === "HEAD" ? "GET" : request.method;
  const need = routeNeeds[`${method} ${url}`] ?? admin;
  return need(request.params as Readonly<Record<string, string | undefined>>);
}
