// What a call must pass before its message is read: who asks, and room among those that are being received.
import { TLSSocket } from "node:tls";
import {
  type Metadata,
  type ServerInterceptingCallInterface,
  ServerInterceptingCall,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import { assert } from "../../core/errors.ts";
import type { Access, ClientCertificate, Credentials, Need, Principal } from "../auth/port.ts";
import type { ByteBudget } from "../byte-budget.ts";
import type { Connections } from "./connections.ts";
import { statusOf } from "./status.ts";

export interface GuardOptions {
  readonly access: Access;
  /** By path. */
  readonly needs: ReadonlyMap<string, Need>;
  readonly receiving: ByteBudget;
  readonly messageBytesMax: number;
  readonly connections: () => Connections;
}

const anyCredentials: Need = { scope: "any" };
const nothing: Credentials = { authorization: [] };

export class Guard {
  readonly #options: GuardOptions;
  readonly #principals = new WeakMap<Metadata, Principal>();
  /** Reading one costs more than a call; a connection has the same for all of its calls. */
  readonly #certificates = new WeakMap<TLSSocket, ClientCertificate | null>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Who asks. For handlers: the call has entered. */
  principalOf(metadata: Metadata): Principal {
    const principal = this.#principals.get(metadata);
    assert(principal !== undefined, "the call has not been let in");
    return principal;
  }

  readonly interceptor: ServerInterceptor = ({ path }, call) => {
    let leave: (() => void) | undefined;
    let ended = false;
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, proceed) => {
            const enter = (principal: Principal): void => {
              if (ended) return;
              this.#principals.set(metadata, principal);
              leave = this.#receive(call);
              proceed(metadata);
            };
            const refuse = (error: unknown): void => call.sendStatus(statusOf(error));
            try {
              const entered = this.#enter(path, metadata, call);
              if (!(entered instanceof Promise)) return enter(entered);
              entered.then(enter).catch(refuse);
            } catch (error) {
              refuse(error);
            }
          },
          onReceiveMessage: (message, proceed) => {
            leave?.();
            proceed(message);
          },
          onReceiveHalfClose: (proceed) => proceed(),
          onCancel: () => {
            ended = true;
            leave?.();
          },
        });
      },
    });
  };

  #enter(path: string, metadata: Metadata, call: ServerInterceptingCallInterface): Principal | Promise<Principal> {
    const { access, needs } = this.#options;
    const credentials = access.required ? this.#credentialsOf(metadata, call) : nothing;
    return access.enter(credentials, needs.get(path) ?? anyCredentials, { name: path });
  }

  #credentialsOf(metadata: Metadata, call: ServerInterceptingCallInterface): Credentials {
    const peer = call.getPeer();
    return {
      authorization: metadata.get("authorization").map(String),
      certificate: this.#certificateOf(peer),
      address: peer.slice(0, peer.lastIndexOf(":")),
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

  /** Room for one message. Who is slow to send it makes room for others. @throws RdgError overloaded */
  #receive(call: ServerInterceptingCallInterface): () => void {
    const { receiving, messageBytesMax, connections } = this.#options;
    const peer = call.getPeer();
    const holding = receiving.hold(() => connections().cut(peer));
    try {
      holding.add(messageBytesMax);
    } catch (error) {
      holding.release();
      throw error;
    }
    return () => holding.release();
  }
}
