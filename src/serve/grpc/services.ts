// The services by path, as the library wants them. Messages pass it as bytes.
import type { Server, ServiceDefinition, UntypedHandleCall } from "@grpc/grpc-js";
import { assert } from "../../core/errors.ts";
import type { Handler } from "./served-call.ts";

const asIs = (bytes: Buffer): Buffer => bytes;

function method(path: string, streams: { readonly request?: boolean; readonly response?: boolean } = {}) {
  const { request = false, response = false } = streams;
  return {
    path,
    requestStream: request,
    responseStream: response,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

/** A handler per method; those that are missing are answered with UNIMPLEMENTED. */
export type Methods<S> = { [K in keyof S]?: UntypedHandleCall };

/** Those of methods whose calls pass the library by. */
export type Handlers<S> = { [K in keyof S]: Handler };

/** Makes the methods known to the library, which asks `handlers` before it comes to its own. */
export function addHandlers<S extends ServiceDefinition>(
  server: Server,
  handlers: Map<string, Handler>,
  methods: S,
  ours: Handlers<S>,
): void {
  for (const [name, handler] of Object.entries(ours)) handlers.set(methods[name]!.path, handler);
  server.addService(methods, Object.fromEntries(Object.keys(methods).map((name) => [name, passedBy])));
}

const passedBy = (): void => assert(false, "the call passes the library by");

export const graphMethods = {
  Traverse: method("/rdg.v1.GraphService/Traverse", { response: true }),
  GetNodes: method("/rdg.v1.GraphService/GetNodes"),
  GetEdges: method("/rdg.v1.GraphService/GetEdges"),
  Count: method("/rdg.v1.GraphService/Count"),
  ShortestPath: method("/rdg.v1.GraphService/ShortestPath"),
  CommonNeighbours: method("/rdg.v1.GraphService/CommonNeighbours"),
};

export const ingestMethods = { Produce: method("/rdg.v1.IngestService/Produce") };

export const healthMethods = {
  Check: method("/grpc.health.v1.Health/Check"),
  List: method("/grpc.health.v1.Health/List"),
  Watch: method("/grpc.health.v1.Health/Watch", { response: true }),
};

const both = { request: true, response: true };
export const reflectionMethods = {
  ServerReflectionInfo: method("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", both),
};
export const reflectionAlphaMethods = {
  ServerReflectionInfo: method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", both),
};
