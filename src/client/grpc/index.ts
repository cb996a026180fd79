// The public entry point `rdg/client/grpc`: the client of `rdg/client`, in Node, over gRPC where the address says so.
import { readFileSync } from "node:fs";
import { credentials } from "@grpc/grpc-js";
import type { ProbedTransport } from "../addresses.ts";
import { systemPorts } from "../calls.ts";
import { type Addressed, type Client, type ConnectOptions, clientOver, openHttp, transportTo } from "../client.ts";
import { GrpcTransport } from "./transport.ts";

export * from "../index.ts";

export interface GrpcConnectOptions extends ConnectOptions {
  /** With `grpcs://`: files in PEM. The system's authorities when there is no `ca`; certificate and key for servers that ask for one. */
  readonly tls?: { readonly ca?: string; readonly certificate?: string; readonly key?: string };
}

/**
 * A client of the RDG at this address, or at several of one graph: `grpc://host:port`, `grpcs://host:port`, or as in `rdg/client`. Close it in the end.
 *
 *     import { connect } from "rdg/client/grpc";
 *     await using rdg = connect("grpc://127.0.0.1:7401");
 */
export function connect(url: Addressed, options: GrpcConnectOptions = {}): Client {
  const transport = transportTo(url, options, (each) => open(each, options), systemPorts);
  return clientOver(transport, options, systemPorts);
}

function open(url: string, options: GrpcConnectOptions): ProbedTransport {
  const { protocol, host } = new URL(url);
  if (protocol !== "grpc:" && protocol !== "grpcs:") return openHttp(url, options);
  const { token, headers, tls = {} } = options;
  const read = (path: string | undefined): Buffer | null => (path === undefined ? null : readFileSync(path));
  const channel =
    protocol === "grpc:"
      ? credentials.createInsecure()
      : credentials.createSsl(read(tls.ca), read(tls.key), read(tls.certificate));
  return new GrpcTransport({ address: host, credentials: channel, token, headers });
}
