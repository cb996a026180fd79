// Access at the HTTP server: who asks is decided from the headers, before anything of a body is read.
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RdgError, assert } from "../../core/errors.ts";
import type { QueryContext } from "../../query/port.ts";
import {
  type Access,
  type ClientCertificate,
  type Credentials,
  type Operation,
  type Principal,
  mayReadOf,
} from "./port.ts";
import { needOf } from "./route-needs.ts";

interface Entered {
  readonly access: Access;
  readonly principal: Principal;
}

/** A property of every request, which is cheaper than a map beside them. */
const entered = Symbol("entered");
type Entering = FastifyRequest & { [entered]?: Entered | null };
/** Reading one costs more than a request; a connection has the same for all of its requests. */
const certificates = new WeakMap<Socket, ClientCertificate | null>();

/** Who asks. For handlers: the request has entered. */
export function principalOf(request: FastifyRequest): Principal {
  return enteredOf(request).principal;
}

/** What the context of a query says of who asks: which types may be read, and who pays for what is scanned. */
export function allowanceOf(request: FastifyRequest): Pick<QueryContext, "mayRead" | "charge"> {
  const { access, principal } = enteredOf(request);
  if (!access.required) return {};
  const mayRead = mayReadOf(principal);
  return { ...(mayRead && { mayRead }), charge: (scannedEdges) => access.charge(principal, scannedEdges) };
}

function enteredOf(request: FastifyRequest): Entered {
  const found = (request as Entering)[entered];
  assert(found !== undefined && found !== null, "the request has not been let in");
  return found;
}

/** Before all other hooks but those that look at names, so that nothing is told to whom nobody knows. */
export function guardAccess(app: FastifyInstance, access: Access): void {
  app.decorateRequest(entered, null);
  if (access.required) guard(app, access);
  else letIn(app, access);
}

/** Everybody, as one principal. */
function letIn(app: FastifyInstance, access: Access): void {
  const everybody = {
    access,
    principal: access.enter({ authorization: [] }, { scope: "any" }, { name: "" }) as Principal,
  };
  app.addHook("onRequest", (request, _reply, done) => {
    (request as Entering)[entered] = everybody;
    done();
  });
}

function guard(app: FastifyInstance, access: Access): void {
  app.addHook("onRequest", (request, reply, done) => {
    const need = needOf(request);
    if (need === undefined) return done();
    const operation = {
      name: `${request.method} ${request.routeOptions.url}`,
      target: pathOf(request),
      requestId: request.id,
    };
    const enter = (principal: Principal): void => {
      (request as Entering)[entered] = { access, principal };
      if (need.scope === "admin") reportEnd(reply, access, principal, operation);
      done();
    };
    const refuse = (error: unknown): void => {
      const challenge = challengeOf(error);
      if (challenge !== undefined) reply.header("www-authenticate", challenge);
      done(error as Error);
    };
    let principal: Principal | Promise<Principal>;
    try {
      principal = access.enter(credentialsOf(request), need, operation);
    } catch (error) {
      return refuse(error);
    }
    if (principal instanceof Promise) void principal.then(enter, refuse);
    else enter(principal);
  });
}

function credentialsOf({ raw: { rawHeaders, socket } }: FastifyRequest): Credentials {
  const authorization: string[] = [];
  let forwardedFor: string[] | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 13 && name.toLowerCase() === "authorization") authorization.push(rawHeaders[i + 1]!);
    if (name.length === 15 && name.toLowerCase() === "x-forwarded-for") (forwardedFor ??= []).push(rawHeaders[i + 1]!);
  }
  const address = socket.remoteAddress;
  return { authorization, certificate: certificateOf(socket), address, ...(forwardedFor && { forwardedFor }) };
}

/** Only one that the configured authority has signed. */
function certificateOf(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  let certificate = certificates.get(socket);
  if (certificate === undefined) {
    const { subject, subjectAltName } = (socket.authorized ? socket.getPeerX509Certificate() : undefined) ?? {};
    certificate = subject === undefined ? null : { subject, subjectAltName };
    certificates.set(socket, certificate);
  }
  return certificate ?? undefined;
}

function reportEnd(reply: FastifyReply, access: Access, principal: Principal, operation: Operation): void {
  reply.raw.once("close", () => {
    const { statusCode } = reply;
    const isWhole = reply.raw.writableEnded;
    access.ended(principal, operation, { ok: isWhole && statusCode < 400, status: isWhole ? statusCode : "cut_off" });
  });
}

/** Without the query, which nobody needs in a log of who did what. */
function pathOf({ url }: FastifyRequest): string {
  return url.split("?", 1)[0]!;
}

/** RFC 6750. */
function challengeOf(error: unknown): string | undefined {
  switch (error instanceof RdgError ? error.code : undefined) {
    case "no_credentials":
      return 'Bearer realm="rdg"';
    case "bad_credentials":
      return 'Bearer realm="rdg", error="invalid_token"';
    case "scope_missing":
      return 'Bearer realm="rdg", error="insufficient_scope"';
    default:
      return undefined;
  }
}
