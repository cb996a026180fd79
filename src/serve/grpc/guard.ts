// What a call must pass before its message is read: a name for it, who asks, and room among those that are being received.
import { TLSSocket } from "node:tls";
import type { Metadata, ServerInterceptor } from "@grpc/grpc-js";
import type { Tracer } from "../../observe/port.ts";
import type { Access, ClientCertificate, Credentials, Need } from "../auth/port.ts";
import type { ByteBudget } from "../byte-budget.ts";
import { requestNames } from "../request-ids.ts";
import type { Connections } from "./connections.ts";
import { type Entrance, type Handler, ServedCall, requestIdName } from "./served-call.ts";

export interface GuardOptions {
  readonly access: Access;
  /** By path. */
  readonly needs: ReadonlyMap<string, Need>;
  readonly receiving: ByteBudget;
  readonly messageBytesMax: number;
  readonly connections: () => Connections;
  readonly tracer?: Tracer | undefined;
  /** By path: those of calls that pass the library by. */
  readonly handlers: ReadonlyMap<string, Handler>;
}

const anyCredentials: Need = { scope: "any" };
const nothing: Credentials = { authorization: [] };

export class Guard {
  readonly #options: GuardOptions;
  /** Reading one costs more than a call; a connection has the same for all of its calls. */
  readonly #certificates = new WeakMap<TLSSocket, ClientCertificate | null>();
  readonly #entrance: Entrance;

  constructor(options: GuardOptions) {
    this.#options = options;
    const { access, needs, receiving, messageBytesMax, connections, tracer } = options;
    const nameOf = requestNames();
    this.#entrance = {
      enter: (call, metadata) => {
        const { path, requestId } = call;
        const credentials = access.required ? this.#credentialsOf(metadata, call.peer) : nothing;
        return access.enter(credentials, needs.get(path) ?? anyCredentials, { name: path, requestId });
      },
      name: (call, metadata) => {
        call.requestId = nameOf(metadata.get(requestIdName)[0]);
        call.span = tracer?.request(call.path.slice(1), {
          traceparent: textOf(metadata, "traceparent"),
          tracestate: textOf(metadata, "tracestate"),
        });
      },
      // Who is slow to send its message makes room for others.
      receive: (call) => {
        const holding = receiving.hold(() => connections().cut(call.peer));
        try {
          holding.add(messageBytesMax);
        } catch (error) {
          holding.release();
          throw error;
        }
        return holding;
      },
    };
  }

  readonly interceptor: ServerInterceptor = ({ path }, call) =>
    new ServedCall(call, path, this.#entrance, this.#options.handlers.get(path));

  #credentialsOf(metadata: Metadata, peer: string): Credentials {
    return {
      authorization: metadata.get("authorization").map(String),
      certificate: this.#certificateOf(peer),
      address: peer.slice(0, peer.lastIndexOf(":")),
      forwardedFor: metadata.get("x-forwarded-for").map(String),
    };
  }

  /** Only one that the configured authority has signed. */
  #certificateOf(peer: string): ClientCertificate | undefined {
    const socket = this.#options.connections().socketOf(peer);
    if (!(socket instanceof TLSSocket)) return undefined;
    let certificate = this.#certificates.get(socket);
    if (certificate === undefined) {
      const { subject, subjectAltName } = (socket.authorized ? socket.getPeerX509Certificate() : undefined) ?? {};
      certificate = subject === undefined ? null : { subject, subjectAltName };
      this.#certificates.set(socket, certificate);
    }
    return certificate ?? undefined;
  }
}

function textOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === "string" ? value : undefined;
}
