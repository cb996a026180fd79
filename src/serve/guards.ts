// What a request must pass before anything looks at it: the names it was sent to and from, and room among those that are worked on.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RdgError } from "../core/errors.ts";
import type { ServerSettings } from "./settings.ts";

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

export interface Protection {
  readonly authenticated: boolean;
  /** By TLS, or by a proxy in front, as the settings say. */
  readonly encrypted: boolean;
}

/** Beyond this machine nobody is answered whom the server does not know, nor where others can read along. @throws RdgError invalid, `not_loopback` */
export function requireProtection(host: string, { authenticated, encrypted }: Protection): void {
  if (isLoopback(host) || (authenticated && encrypted)) return;
  const [what, hint] = authenticated
    ? [
        "This server has no TLS",
        "Set tls.cert and tls.key; or, where a proxy in front ends TLS and nobody else reaches this address, tls.off.",
      ]
    : [
        "This server has no authentication",
        "Take a loopback address (127.0.0.1); or make a key with `rdg keys create`, or set auth.jwks; and leave auth.mode at auto.",
      ];
  throw new RdgError("invalid", "not_loopback", `${what}, so it does not listen on "${host}".`, {
    place: "host",
    hint,
  });
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/**
 * A page that a browser loaded from elsewhere must not reach a server on the same machine, also when its own name was made to resolve to this address
 * (DNS rebinding): on loopback the Host header has to be a loopback name or an allowed one, and Origin, where a browser sends it, the same host.
 */
export function guardNames(app: FastifyInstance, settings: ServerSettings): void {
  const allowed = new Set(settings.allowedHosts.map((host) => host.toLowerCase()));
  const checksHost = isLoopback(settings.host) || allowed.size > 0;
  const names = new Set([
    ...(isLoopback(settings.host) ? [...loopbackNames, settings.host.toLowerCase()] : []),
    ...allowed,
  ]);
  const origins = new Set(settings.corsOrigins);
  /** As it was sent last, and was allowed: mostly all requests are sent to one. */
  let known: string | undefined;
  app.addHook("onRequest", (request, _reply, done) => {
    if (!hasOneHost(request)) return done(new RdgError("invalid", "bad_http", "A request has one Host header."));
    const sent = request.headers.host;
    if (sent !== undefined && sent === known && request.headers.origin === undefined) return done();
    const host = (sent ?? "").toLowerCase();
    if (checksHost && !names.has(host) && !names.has(withoutPort(host))) {
      return done(
        new RdgError("unauthorized", "host_not_allowed", `This server is not asked as "${host.slice(0, 100)}".`, {
          hint: "Ask it as localhost, or name the host in the setting serve.hosts.",
        }),
      );
    }
    known = sent;
    const { origin } = request.headers;
    if (origin !== undefined && !origins.has(origin) && !isAllowedOrigin(origin, host, allowed)) {
      return done(
        new RdgError("unauthorized", "origin_not_allowed", "Pages of another origin may not ask this server.", {
          hint: "Serve the page from the same host, or name its origin in the setting serve.cors.",
        }),
      );
    }
    done();
  });
}

/** Several would leave open which of them was checked; HTTP/1.0 may do without. */
function hasOneHost(request: FastifyRequest): boolean {
  if (request.headers.host === undefined) return request.raw.httpVersion === "1.0";
  return !comesTwice(request, "host");
}

/** Whether a header is given more than once: of some node hands out the first, others joined. */
export function comesTwice({ raw: { rawHeaders } }: Pick<FastifyRequest, "raw">, name: string): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i]!;
    if (given.length === name.length && given.toLowerCase() === name) count++;
  }
  return count > 1;
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, "");
}

function isAllowedOrigin(origin: string, host: string, allowed: ReadonlySet<string>): boolean {
  const url = URL.parse(origin);
  if (url === null || url.host === "") return false;
  return url.host === host || allowed.has(url.host) || allowed.has(url.hostname);
}

export function overloaded(message: string): RdgError {
  return new RdgError("overloaded", "too_many_requests", message, { hint: "Send less at once.", retryAfterMs: 1_000 });
}

/** All requests of a scope are worked on within the admission's bound, from when their bodies are there until they are answered. */
export function admit(app: FastifyInstance, admission: Admission): void {
  app.addHook("preHandler", (_request, reply, done) => {
    try {
      reply.raw.once("close", admission.enter());
    } catch (error) {
      return done(error as Error);
    }
    done();
  });
}

/** Keeps the number of requests of one sort that are worked on bounded. */
export class Admission {
  readonly runningMax: number;
  #running = 0;
  readonly #what: string;

  /** @param what the sort, for messages: "queries" */
  constructor(what: string, runningMax: number) {
    this.#what = what;
    this.runningMax = runningMax;
  }

  get running(): number {
    return this.#running;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const leave = this.enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** The returned function ends what was begun; it may be called again. @throws RdgError overloaded */
  enter(): () => void {
    if (this.#running >= this.runningMax) throw overloaded(`${this.runningMax} ${this.#what} are under way already.`);
    this.#running++;
    let left = false;
    return () => {
      if (!left) this.#running--;
      left = true;
    };
  }
}
