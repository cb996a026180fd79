// Reflection: what is served, the files of every name in it, and what there is not; in both versions.
import { once } from "node:events";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Loopback, openLoopback } from "../../../test/grpc/loopback.ts";
import type { Gateway } from "../../gateway/port.ts";
import {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../model/rpc/generated/grpc/reflection/v1/reflection.ts";
import type { Queries } from "../../query/port.ts";

type Asked = NonNullable<ServerReflectionRequest["messageRequest"]>;
type Told = ServerReflectionResponse["messageResponse"];

let loopback: Loopback;
beforeAll(async () => {
  const none = { format: 1, events: [], sideInputs: [], nodes: [], edges: [], jobs: [] } as const;
  const model = { ...none, name: "test", skewMaxMs: 0, latenessMs: 0, tombstoneGraceMs: 0 };
  loopback = await openLoopback({ model, queries: {} as Queries, gateway: {} as Gateway });
});
afterAll(() => loopback.close());

/** All questions on one stream. */
async function reflect(version: string, questions: readonly Asked[]): Promise<Told[]> {
  const call = loopback.client.client.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    (request: ServerReflectionRequest) => Buffer.from(ServerReflectionRequest.encode(request).finish()),
    (bytes) => ServerReflectionResponse.decode(bytes),
    new Metadata(),
  );
  const told: Told[] = [];
  call.on("data", ({ messageResponse }: ServerReflectionResponse) => told.push(messageResponse));
  for (const messageRequest of questions) call.write({ host: "", messageRequest });
  call.end();
  await once(call, "end");
  return told;
}

function filesOf(told: Told): string[] {
  if (told?.$case !== "fileDescriptorResponse") throw new Error(JSON.stringify(told));
  return told.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

describe.each(["v1", "v1alpha"])("%s", (version) => {
  test("lists the services that are there", async () => {
    const [told] = await reflect(version, [{ $case: "listServices", value: "" }]);
    expect(told?.$case === "listServicesResponse" && told.value.service.map(({ name }) => name)).toEqual([
      "rdg.v1.GraphService",
      "rdg.v1.IngestService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  test("has the file of everything that can be named, with all that it imports", async () => {
    const symbols = [
      "rdg.v1.GraphService",
      "rdg.v1.GraphService.Traverse",
      ".rdg.v1.TraverseRequest",
      "rdg.v1.TraverseRequest.question",
      "rdg.v1.Direction",
      "grpc.health.v1.HealthCheckResponse.ServingStatus",
    ];
    const told = await reflect(version, [
      ...symbols.map((value): Asked => ({ $case: "fileContainingSymbol", value })),
      { $case: "fileByFilename", value: "rdg/v1/element.proto" },
    ]);
    expect(told.map((each) => filesOf(each)[0])).toEqual([
      "rdg/v1/graph_service.proto",
      "rdg/v1/graph_service.proto",
      "rdg/v1/traverse.proto",
      "rdg/v1/traverse.proto",
      "rdg/v1/rule.proto",
      "grpc/health/v1/health.proto",
      "rdg/v1/element.proto",
    ]);
    expect(filesOf(told[0]).toSorted()).toEqual([
      "google/protobuf/struct.proto",
      "google/protobuf/timestamp.proto",
      "rdg/v1/element.proto",
      "rdg/v1/graph_service.proto",
      "rdg/v1/question.proto",
      "rdg/v1/rule.proto",
      "rdg/v1/traverse.proto",
    ]);
  });

  test("says what there is not, and goes on", async () => {
    const extension = { containingType: "rdg.v1.Node", extensionNumber: 1 };
    const told = await reflect(version, [
      { $case: "fileContainingSymbol", value: "rdg.v1.Nothing" },
      { $case: "fileContainingSymbol", value: "rdg.v1.Node.nothing" },
      { $case: "fileContainingSymbol", value: "" },
      { $case: "fileByFilename", value: "nothing.proto" },
      { $case: "fileContainingExtension", value: extension },
      { $case: "allExtensionNumbersOfType", value: "rdg.v1.Nothing" },
      { $case: "allExtensionNumbersOfType", value: "rdg.v1.Node" },
    ]);
    const codes = told.map((each) => (each?.$case === "errorResponse" ? each.value.errorCode : each?.$case));
    expect(codes).toEqual([...Array<number>(6).fill(status.NOT_FOUND), "allExtensionNumbersResponse"]);
  });
});
