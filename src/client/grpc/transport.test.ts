// The gRPC transport with a server made for it: what it sends along, failures that are not RDG's, ends on both sides.
import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { knows, person } from "../../../test/client/people.ts";
import { GetNodesResponse } from "../../model/rpc/generated/rdg/v1/question.ts";
import { TraverseResponse } from "../../model/rpc/generated/rdg/v1/traverse.ts";
import { type Client, connect } from "./index.ts";

type Unary = ServerUnaryCall<Buffer, Buffer>;
type Stream = ServerWritableStream<Buffer, Buffer>;

let answerUnary: (call: Unary, answer: sendUnaryData<Buffer>) => void;
let answerStream: (call: Stream) => void;
let server: Server;
let address: string;
let rdg: Client;

const asIs = (bytes: Buffer): Buffer => bytes;
const bytes = { requestStream: false, requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs };
const service: ServiceDefinition = {
  GetNodes: { ...bytes, path: "/rdg.v1.GraphService/GetNodes", responseStream: false, responseDeserialize: asIs },
  Traverse: { ...bytes, path: "/rdg.v1.GraphService/Traverse", responseStream: true, responseDeserialize: asIs },
};

beforeAll(async () => {
  server = new Server();
  server.addService(service, {
    GetNodes: (call: Unary, answer: sendUnaryData<Buffer>) => answerUnary(call, answer),
    Traverse: (call: Stream) => answerStream(call),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  address = `grpc://127.0.0.1:${port}`;
});
beforeEach(() => {
  rdg = connect(address, { retries: 0, token: async () => "secret", headers: { "x-team": "a" } });
  return () => rdg.close();
});
afterAll(() => server.forceShutdown());

const none = Buffer.from(GetNodesResponse.encode({ nodes: [], asOf: ["p"] }).finish());
const level = (number: number, ids: readonly string[]): Buffer =>
  Buffer.from(
    TraverseResponse.encode(
      TraverseResponse.create({
        chunks: [
          {
            level: number,
            nodes: ids.map((id) => ({ type: "person", id })),
            edges:
              number === 0
                ? []
                : ids.map((id) => ({ type: "knows", fromId: "a", toId: id, firstSeen: {}, lastSeen: {} })),
          },
        ],
      }),
    ).finish(),
  );

test("of two addresses the one that answers is asked, wherever nobody is", async () => {
  answerUnary = (_call, answer) => answer(null, none);
  const both = connect(["grpc://127.0.0.1:1", address], { answerMs: 60_000 });
  try {
    for (let i = 0; i < 20; i++) expect((await both.nodes(person, ["a"])).nodes).toEqual([]);
  } finally {
    await both.close();
  }
});

describe("the transport", () => {
  test("sends the token and the headers along", async () => {
    let seen: unknown[] = [];
    answerUnary = ({ metadata }, answer) => {
      seen = [...metadata.get("authorization"), ...metadata.get("x-team")];
      answer(null, none);
    };
    expect(await rdg.nodes(person, ["a"])).toEqual({ nodes: [], asOf: ["p"] });
    expect(seen).toEqual(["Bearer secret", "a"]);
  });

  test.each([
    [status.UNAVAILABLE, "unavailable", "no_answer", true],
    [status.RESOURCE_EXHAUSTED, "overloaded", "grpc_resource_exhausted", true],
    [status.DEADLINE_EXCEEDED, "unavailable", "no_answer", true],
    [status.UNAUTHENTICATED, "unauthorized", "grpc_unauthenticated", false],
    [status.UNIMPLEMENTED, "invalid", "grpc_unimplemented", false],
    [status.UNKNOWN, "internal", "grpc_unknown", false],
  ] as const)("tells a failure of something between: %i is %s", async (code, kind, expected, retryable) => {
    answerUnary = (_call, answer) => answer({ code, details: "So it is" });
    await expect(rdg.nodes(person, ["a"])).rejects.toMatchObject({ kind, code: expected, retryable });
  });

  test("ends a call at the server when its signal is aborted", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const cancelled = new Promise<void>((resolve) => {
      answerUnary = (call) => {
        call.once("cancelled", () => resolve());
        stop.abort(reason);
      };
    });
    await expect(rdg.nodes(person, ["a"], { signal: stop.signal })).rejects.toBe(reason);
    await cancelled;
    await expect(rdg.nodes(person, ["a"], { signal: stop.signal })).rejects.toBe(reason);
  });

  test("ends a stream at the server when the loop has enough", async () => {
    const cancelled = new Promise<void>((resolve) => {
      answerStream = (call) => {
        call.once("cancelled", () => resolve());
        call.write(level(0, ["a"]));
        call.write(level(1, ["b", "c"]));
        call.write(level(2, []));
      };
    });
    for await (const { to } of rdg.from(person, "a").out(knows).rows(0, { stream: true })) {
      expect(to.id).toBe("b");
      break;
    }
    await cancelled;
  });

  test("tells a stream that breaks off, and one that ends without its summary", async () => {
    answerStream = (call) => {
      call.write(level(0, ["a"]));
      call.emit("error", { code: status.UNAVAILABLE, details: "Gone" });
    };
    await expect(rdg.from(person, "a").run()).rejects.toMatchObject({ code: "no_answer", retryable: true });
    answerStream = (call) => {
      call.write(level(0, ["a"]));
      call.end();
    };
    await expect(rdg.from(person, "a").run()).rejects.toMatchObject({ code: "no_answer", retryable: true });
    const read = async (): Promise<void> => {
      for await (const _ of rdg.from(person, "a").out(knows).rows(0, { stream: true })) expect.unreachable();
    };
    await expect(read()).rejects.toMatchObject({ code: "no_answer" });
  });

  test("speaks HTTP where the address says so", () => {
    expect(() => connect("grpc//nothing")).toThrow();
    expect(connect("http://127.0.0.1:1")).toHaveProperty("produce");
  });
});
