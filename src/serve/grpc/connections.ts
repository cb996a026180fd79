// The connections of the gRPC server: how many there are, and what ends because it takes nothing of what it asked for: a call, or a connection with all of its.
//
// They are accepted here and handed to the library, because it neither bounds their number, nor can end one, nor takes a certificate that was renewed.
import { type Server as NetServer, type Socket, createServer } from "node:net";
import { type Server as TlsServer, createServer as createTlsServer } from "node:tls";
import type { ConnectionInjector } from "@grpc/grpc-js";
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Tls } from "../auth/tls.ts";
import type { ServedCall } from "./served-call.ts";
import type { GrpcSettings } from "./settings.ts";

/** A call as it is ended when nobody reads it. */
export type ReadCall = Pick<ServedCall, "peer" | "isOver" | "reset">;

/** An answer, or a part of one, that its reader has not taken. */
export interface PendingWrite {
  readonly call: ReadCall;
  readonly sinceMs: number;
}

export interface ConnectionsOptions {
  readonly settings: GrpcSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly tls?: Tls | undefined;
}

export class Connections {
  readonly #settings: GrpcSettings;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #server: NetServer;
  readonly #sockets = new Map<string, Socket>();
  /** In order of age. */
  readonly #writes = new Set<PendingWrite>();
  #stopSweeping: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(injector: ConnectionInjector, { settings, clock, timers, tls }: ConnectionsOptions) {
    this.#settings = settings;
    this.#clock = clock;
    this.#timers = timers;
    const take = (socket: Socket): void => {
      const peer = `${socket.remoteAddress}:${socket.remotePort}`;
      this.#sockets.set(peer, socket);
      socket.once("close", () => {
        this.#sockets.delete(peer);
        if (this.#sockets.size === 0) this.#onEmpty?.();
      });
      socket.on("error", () => undefined);
      injector.injectConnection(socket);
    };
    this.#server = tls ? secureServer(tls, settings, take) : createServer(socketOptions, take);
    this.#server.maxConnections = settings.connectionsMax;
  }

  get count(): number {
    return this.#sockets.size;
  }

  /** @throws RdgError conflict when the port is taken */
  listen(): Promise<{ readonly address: string; readonly port: number }> {
    const { host, port } = this.#settings;
    this.#sweepLater();
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => reject(told(error, host, port)));
      // While the thread is busy, connections wait in the system instead of being dropped.
      this.#server.listen({ host, port, backlog: 4096 }, () => {
        const address = this.#server.address();
        const taken = typeof address === "object" && address !== null ? address.port : port;
        resolve({ address: `${host.includes(":") ? `[${host}]` : host}:${taken}`, port: taken });
      });
    });
  }

  /** Takes no more. */
  stopListening(): void {
    this.#server.close(() => undefined);
  }

  /** Resolves when the last has ended. */
  async ended(): Promise<void> {
    while (this.#sockets.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }

  /** Ends all that are left. */
  destroy(): void {
    this.#stopSweeping?.();
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  /** With all of its calls. */
  cut(peer: string): void {
    this.#sockets.get(peer)?.destroy();
  }

  /** Ends a call whose reader takes nothing. The connection's other calls go on, unless its other end is silent altogether. */
  giveUp(call: ReadCall): void {
    if (call.isOver) return;
    const { peer } = call;
    const session = call.reset();
    if (session === undefined) return this.cut(peer);
    if (session.destroyed) return;
    const cancel = this.#timers.after(this.#settings.slowMs, () => this.cut(peer));
    session.once("close", cancel);
    const answered = (): void => {
      session.off("close", cancel);
      cancel();
    };
    // Not sent where many are unanswered: the time goes on.
    session.ping((error) => (error === null ? answered() : undefined));
  }

  socketOf(peer: string): Socket | undefined {
    return this.#sockets.get(peer);
  }

  /** Something was written to the caller; `written` says that it has been taken. */
  writing(call: ReadCall): PendingWrite {
    const write = { call, sinceMs: this.#clock.monotonicMs() };
    this.#writes.add(write);
    return write;
  }

  written(write: PendingWrite): void {
    this.#writes.delete(write);
  }

  #sweepLater(): void {
    const { stallTimeoutMs } = this.#settings;
    this.#stopSweeping = this.#timers.after(Math.max(10, Math.min(1_000, stallTimeoutMs / 4)), () => {
      const before = this.#clock.monotonicMs() - stallTimeoutMs;
      for (const write of this.#writes) {
        if (write.sinceMs > before) break;
        this.#writes.delete(write);
        this.giveUp(write.call);
      }
      this.#sweepLater();
    });
  }
}

const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 } as const;

function secureServer(tls: Tls, { handshakeTimeoutMs }: GrpcSettings, take: (socket: Socket) => void): TlsServer {
  const options = { ...socketOptions, ALPNProtocols: ["h2"], handshakeTimeout: handshakeTimeoutMs };
  const server = createTlsServer({ ...options, ...tls.serverOptions() }, take);
  // Whoever fails to shake hands is dropped already.
  server.on("tlsClientError", () => undefined);
  tls.onChange(() => server.setSecureContext(tls.serverOptions()));
  return server;
}

function told(error: NodeJS.ErrnoException, host: string, port: number): unknown {
  if (error.code !== "EADDRINUSE" && error.code !== "EACCES") return error;
  return new RdgError("conflict", "port_taken", `Port ${port} of ${host} cannot be listened on.`, {
    place: `${host}:${port}`,
    hint:
      error.code === "EACCES"
        ? "Ports below 1024 need rights; choose another with grpc.port."
        : "Something else listens there: stop it, or choose another port with grpc.port, or off.",
    cause: error,
  });
}
