// RDG's HTTP and gRPC servers over loopback, on the same ports of the product, and a gRPC client of the library, for tests.
import {
  type CallOptions,
  type ChannelCredentials,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { type Clock, systemClock, systemTimers } from "../../src/core/clock.ts";
import type { Gateway } from "../../src/gateway/port.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import { BadRequest, ErrorInfo, RetryInfo } from "../../src/model/rpc/generated/google/rpc/error_details.ts";
import { Status } from "../../src/model/rpc/generated/google/rpc/status.ts";
import type { MessageFns } from "../../src/model/rpc/generated/rdg/v1/element.ts";
import {
  type TraverseChunk,
  TraverseRequest,
  TraverseResponse,
  type TraverseSummary,
} from "../../src/model/rpc/generated/rdg/v1/traverse.ts";
import type { Queries } from "../../src/query/port.ts";
import { type GrpcServer, type GrpcServerOptions, createGrpcServer } from "../../src/serve/grpc/server.ts";
import { type HttpServer, type ServerOptions, createServer } from "../../src/serve/server.ts";

export interface LoopbackOptions {
  readonly model: GraphModel;
  readonly clock?: Clock;
  readonly queries?: Queries;
  readonly gateway?: Gateway;
  readonly http?: Partial<ServerOptions>;
  readonly grpc?: Partial<GrpcServerOptions>;
}

export interface Loopback {
  readonly http: HttpServer;
  readonly grpc: GrpcServer;
  readonly port: number;
  readonly client: RpcClient;
  close(): Promise<void>;
}

export async function openLoopback({
  model,
  clock = systemClock,
  http,
  grpc,
  ...stages
}: LoopbackOptions): Promise<Loopback> {
  const shared = { model, clock, timers: systemTimers, ...stages };
  const httpServer = createServer({ ...shared, ...http, settings: { port: 0, ...http?.settings } });
  const grpcServer = createGrpcServer({
    ...shared,
    bounds: httpServer.bounds,
    ...grpc,
    settings: { port: 0, closeTimeoutMs: 1_000, ...grpc?.settings },
  });
  const { port } = await grpcServer.listen();
  const client = new RpcClient(`127.0.0.1:${port}`);
  return {
    http: httpServer,
    grpc: grpcServer,
    port,
    client,
    async close() {
      client.close();
      await grpcServer.close();
      await httpServer.close();
    },
  };
}

/** Why a call failed, with its google.rpc details. */
export class RpcError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly info: ErrorInfo | undefined;
  readonly fields: readonly { readonly field: string; readonly reason: string }[];
  readonly retryAfterMs: number | undefined;

  constructor({ code, details, metadata }: ServiceError) {
    super(details);
    this.code = code;
    const [bin] = metadata.get("grpc-status-details-bin");
    const status = bin === undefined ? undefined : Status.decode(bin as Buffer);
    const detail = <T>(name: string, fns: Pick<MessageFns<T>, "decode">): T | undefined => {
      const found = status?.details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${name}`);
      return found && fns.decode(found.value);
    };
    this.info = detail("ErrorInfo", ErrorInfo);
    this.reason = this.info?.reason ?? "";
    this.fields = detail("BadRequest", BadRequest)?.fieldViolations ?? [];
    const delay = detail("RetryInfo", RetryInfo)?.retryDelay;
    this.retryAfterMs = delay && Number(delay.seconds) * 1_000 + delay.nanos / 1_000_000;
  }
}

export interface Traversed {
  readonly chunks: readonly TraverseChunk[];
  readonly summary: TraverseSummary;
  readonly messages: number;
}

export class RpcClient {
  readonly client: Client;
  readonly #metadata = new Metadata();

  constructor(
    address: string,
    options: object = {},
    metadata: Readonly<Record<string, string>> = {},
    encryption: ChannelCredentials = credentials.createInsecure(),
  ) {
    for (const [name, value] of Object.entries(metadata)) this.#metadata.set(name, value);
    this.client = new Client(address, encryption, {
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  unary<Q, A>(
    path: string,
    ask: Pick<MessageFns<Q>, "encode">,
    answer: Pick<MessageFns<A>, "decode">,
    request: Q,
    options: CallOptions = {},
  ): Promise<A> {
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: A): void => {
        if (error) reject(new RpcError(error));
        else resolve(response!);
      };
      const encode = (message: Q): Buffer => Buffer.from(ask.encode(message).finish());
      this.client.makeUnaryRequest(
        path,
        encode,
        (bytes) => answer.decode(bytes),
        request,
        this.#metadata,
        options,
        done,
      );
    });
  }

  stream<Q, A>(
    path: string,
    ask: Pick<MessageFns<Q>, "encode">,
    answer: Pick<MessageFns<A>, "decode">,
    request: Q,
    options: CallOptions = {},
  ): ClientReadableStream<A> {
    const encode = (message: Q): Buffer => Buffer.from(ask.encode(message).finish());
    return this.client.makeServerStreamRequest(
      path,
      encode,
      (bytes) => answer.decode(bytes),
      request,
      this.#metadata,
      options,
    );
  }

  traverseStream(
    request: Parameters<typeof TraverseRequest.fromPartial>[0],
    options: CallOptions = {},
  ): ClientReadableStream<TraverseResponse> {
    const message = TraverseRequest.fromPartial(request);
    return this.stream("/rdg.v1.GraphService/Traverse", TraverseRequest, TraverseResponse, message, options);
  }

  async traverse(
    request: Parameters<typeof TraverseRequest.fromPartial>[0],
    options: CallOptions = {},
  ): Promise<Traversed> {
    const chunks: TraverseChunk[] = [];
    let summary: TraverseSummary | undefined;
    let messages = 0;
    try {
      for await (const response of this.traverseStream(request, options)) {
        if (summary !== undefined) throw new Error("Something came behind the summary.");
        const message = response as TraverseResponse;
        chunks.push(...message.chunks);
        summary = message.summary;
        messages++;
      }
    } catch (error) {
      throw error instanceof Error && "metadata" in error ? new RpcError(error as ServiceError) : error;
    }
    if (summary === undefined) throw new Error("There was no summary.");
    return { chunks, summary, messages };
  }

  close(): void {
    this.client.close();
  }
}
