// What a request must pass before anything looks at it: the names it was sent to and from, and room for it.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RdgError } from "../core/errors.ts";
import type { ServerSettings } from "./settings.ts";

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

function isLoopback(host: string): boolean {
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
  app.addHook("onRequest", (request, _reply, done) => {
    const host = (request.headers.host ?? "").toLowerCase();
    if (checksHost && !names.has(host) && !names.has(withoutPort(host))) {
      return done(
        new RdgError("unauthorized", "host_not_allowed", `This server is not asked as "${host.slice(0, 100)}".`, {
          hint: "Ask it as localhost, or name the host in its allowed hosts.",
        }),
      );
    }
    const { origin } = request.headers;
    if (origin !== undefined && !isAllowedOrigin(origin, host, allowed)) {
      return done(
        new RdgError("unauthorized", "origin_not_allowed", "Pages of another origin may not ask this server.", {
          hint: "Serve the page from the same host, or name its host in the server's allowed hosts.",
        }),
      );
    }
    done();
  });
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, "");
}

function isAllowedOrigin(origin: string, host: string, allowed: ReadonlySet<string>): boolean {
  const url = URL.parse(origin);
  if (url === null || url.host === "") return false;
  return url.host === host || allowed.has(url.host) || allowed.has(url.hostname);
}

/** Keeps the bytes of bodies in flight bounded: a body is counted by its declared length, or, when it has none, as the largest allowed. */
export function guardBytes(app: FastifyInstance, bytesMax: number, bodyBytesMax: number): void {
  let inFlight = 0;
  const held = new WeakMap<FastifyRequest, number>();
  app.addHook("onRequest", (request, _reply, done) => {
    const declared = Number(request.headers["content-length"] ?? Number.NaN);
    // Longer ones are refused by the body parser.
    const bytes = Math.min(Number.isFinite(declared) ? declared : bodyBytesMax, bodyBytesMax);
    if (inFlight + bytes > bytesMax) return done(overloaded(`More than ${bytesMax} bytes of requests are in flight.`));
    inFlight += bytes;
    held.set(request, bytes);
    done();
  });
  // Called once for every request, answered, failed or cut.
  app.addHook("onResponse", (request, _reply, done) => {
    inFlight -= held.get(request) ?? 0;
    held.delete(request);
    done();
  });
}

function overloaded(message: string): RdgError {
  return new RdgError("overloaded", "too_many_requests", message, { hint: "Send less at once.", retryAfterMs: 1_000 });
}

/** Keeps the number of requests that are worked on bounded. */
export class Admission {
  private running = 0;
  private readonly runningMax: number;

  constructor(runningMax: number) {
    this.runningMax = runningMax;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.runningMax) throw overloaded(`${this.runningMax} queries are running already.`);
    this.running++;
    try {
      return await work();
    } finally {
      this.running--;
    }
  }
}
