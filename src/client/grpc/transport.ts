// The gRPC transport: rdg.v1 over one HTTP/2 connection per client.
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ChannelCredentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "../../model/rpc/generated/grpc/health/v1/health.ts";
import { ProduceRequest, ProduceResponse, RecordFormat } from "../../model/rpc/generated/rdg/v1/ingest_service.ts";
import { TraverseResponse } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import type { EdgeAnswer, LevelAnswer, NodeAnswer } from "../../model/traversal.ts";
import type { ProbedTransport } from "../addresses.ts";
import { type Token, tokenOf } from "../http.ts";
import { brokeOff } from "../parts.ts";
import type { AnswerPart, ProduceCall, Produced, Question, TraverseEnd } from "../transport.ts";
import { partsOfResponse, questionAnswers } from "./answers.ts";
import { failureOf } from "./failure.ts";
import { questionMessages, traverseMessage } from "./requests.ts";

export interface GrpcOptions {
  /** `host:port`. */
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly token?: Token | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Per question: the method, and how its messages are made and read. */
const methods = {
  nodes: { name: "GetNodes", encode: questionMessages.nodes, decode: questionAnswers.nodes },
  edges: { name: "GetEdges", encode: questionMessages.edges, decode: questionAnswers.edges },
  count: { name: "Count", encode: questionMessages.count, decode: questionAnswers.count },
  "shortest-path": {
    name: "ShortestPath",
    encode: questionMessages.shortestPath,
    decode: questionAnswers.shortestPath,
  },
  "common-neighbours": {
    name: "CommonNeighbours",
    encode: questionMessages.commonNeighbours,
    decode: questionAnswers.commonNeighbours,
  },
} as const;

const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const received = (bytes: Buffer): Buffer => bytes;

export class GrpcTransport implements ProbedTransport {
  readonly #options: GrpcOptions;
  readonly #client: Client;

  constructor(options: GrpcOptions) {
    this.#options = options;
    this.#client = new Client(options.address, options.credentials, {
      // The server bounds its answers; a single element may be larger than the library's bound.
      "grpc.max_receive_message_length": -1,
      // The client tries again by itself; a server that is back is found soon.
      "grpc.enable_retries": 0,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 5_000,
    });
  }

  async ask(question: Question, request: object, signal: AbortSignal): Promise<unknown> {
    if (question === "traverse" || question === "query") return whole(this.parts(request, signal));
    const { name, encode, decode } = methods[question];
    const bytes = (encode as (request: object) => Uint8Array)(request);
    return decode(await this.#unary(`/rdg.v1.GraphService/${name}`, bytes, signal));
  }

  async *parts(request: object, signal: AbortSignal): AsyncGenerator<AnswerPart> {
    const message = traverseMessage(request as Parameters<typeof traverseMessage>[0]);
    const metadata = await this.#metadata();
    signal.throwIfAborted();
    const stream: ClientReadableStream<Buffer> = this.#client.makeServerStreamRequest(
      "/rdg.v1.GraphService/Traverse",
      asIs,
      received,
      message,
      metadata,
    );
    const cancel = (): void => stream.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for await (const bytes of stream) yield* partsOfResponse(TraverseResponse.decode(bytes as Buffer));
    } catch (error) {
      signal.throwIfAborted();
      throw failureOf(error as ServiceError, this.#options.address);
    } finally {
      signal.removeEventListener("abort", cancel);
      // Also when the reader has enough.
      stream.cancel();
    }
  }

  async produce({ target, lines, idempotencyKey }: ProduceCall, signal: AbortSignal): Promise<Produced> {
    const message = ProduceRequest.encode({
      target: { $case: target.kind, value: target.name },
      format: RecordFormat.RECORD_FORMAT_NDJSON,
      records: new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")),
      partial: false,
      idempotencyKey,
    }).finish();
    const bytes = await this.#unary("/rdg.v1.IngestService/Produce", message, signal);
    const { accepted, positions, duplicate } = ProduceResponse.decode(bytes);
    return { accepted, positions, ...(duplicate && { duplicate }) };
  }

  async ready(signal: AbortSignal): Promise<boolean> {
    const message = HealthCheckRequest.encode({ service: "" }).finish();
    const { status } = HealthCheckResponse.decode(await this.#unary("/grpc.health.v1.Health/Check", message, signal));
    return status === HealthCheckResponse_ServingStatus.SERVING;
  }

  close(): void {
    this.#client.close();
  }

  async #unary(path: string, message: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    const metadata = await this.#metadata();
    signal.throwIfAborted();
    const options: CallOptions = {};
    return new Promise((resolve, reject) => {
      const cancel = (): void => call.cancel();
      const done = (error: ServiceError | null, bytes?: Buffer): void => {
        signal.removeEventListener("abort", cancel);
        if (error === null) resolve(bytes!);
        else reject(signal.aborted ? (signal.reason as Error) : failureOf(error, this.#options.address));
      };
      const call: ClientUnaryCall = this.#client.makeUnaryRequest(
        path,
        asIs,
        received,
        message,
        metadata,
        options,
        done,
      );
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  async #metadata(): Promise<Metadata> {
    const { token, headers = {} } = this.#options;
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const current = await tokenOf(token);
    if (current !== undefined) metadata.set("authorization", `Bearer ${current}`);
    return metadata;
  }
}

/** The parts put together: the levels that there are, also those that nothing reached. */
async function whole(parts: AsyncIterable<AnswerPart>): Promise<object> {
  const levels: { nodes: NodeAnswer[]; edges?: EdgeAnswer[] }[] = [];
  let end: TraverseEnd | undefined;
  const upTo = (count: number): void => {
    while (levels.length < count) levels.push(levels.length === 0 ? { nodes: [] } : { nodes: [], edges: [] });
  };
  for await (const part of parts) {
    if ("end" in part) {
      end = part.end;
      continue;
    }
    upTo(part.level + 1);
    levels[part.level]!.nodes.push(...(part.nodes ?? []));
    levels[part.level]!.edges?.push(...(part.edges ?? []));
  }
  if (end === undefined) throw brokeOff();
  const explained = end.explain !== undefined && end.explain.totals === undefined;
  if (!explained) upTo(end.hops.length + 1);
  return { levels: levels satisfies LevelAnswer[], ...end };
}
