// Calls over gRPC for load, at most one under way per instance; sixteen of them share a connection. Sends prepared messages, counts the bytes of answers.
import { type ClientHttp2Session, connect } from "node:http2";
import { questionMessages, traverseMessage } from "../src/client/grpc/requests.ts";
import type { Answered } from "./http-connection.ts";
import type { Query } from "./query-mixes.ts";

const callsPerSession = 16;
const prefixBytes = 5;

interface GrpcCall {
  readonly path: string;
  readonly frame: Buffer;
}

export function grpcCall(query: Query): GrpcCall {
  switch (query.kind) {
    case "traverse":
      return callOf("Traverse", traverseMessage(query.request));
    case "node":
      return callOf("GetNodes", questionMessages.nodes({ type: query.type, ids: [query.id] }));
    case "edge":
      return callOf(
        "GetEdges",
        questionMessages.edges({ type: query.type, pairs: [{ from: query.from, to: query.to }] }),
      );
    case "count":
      return callOf("Count", questionMessages.count(query.request));
  }
}

function callOf(method: string, message: Uint8Array): GrpcCall {
  const frame = Buffer.alloc(prefixBytes + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, prefixBytes);
  return { path: `/rdg.v1.GraphService/${method}`, frame };
}

export class GrpcConnection {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  static open(address: string, count: number): GrpcConnection[] {
    const sessions = Array.from({ length: Math.ceil(count / callsPerSession) }, () => connect(`http://${address}`));
    return Array.from({ length: count }, (_, i) => new GrpcConnection(sessions[i % sessions.length]!));
  }

  send({ path, frame }: GrpcCall, done: Answered): void {
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    const stream = this.#session.request(headers);
    let [bytes, status] = [0, 0];
    const take = (trailers: { readonly "grpc-status"?: unknown }): void => {
      const code = trailers["grpc-status"];
      if (code !== undefined) status = code === "0" ? 200 : 500 + Number(code);
    };
    stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
    stream.on("response", take).on("trailers", take);
    stream.on("error", () => undefined).on("close", () => done(status, bytes));
    stream.end(frame);
  }

  close(): void {
    this.#session.destroy();
  }
}
