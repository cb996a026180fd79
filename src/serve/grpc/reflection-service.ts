// grpc.reflection.v1 and v1alpha: tells tools such as grpcurl what there is to call. The two differ in nothing but their name.

import { type FileRegistry, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type handleBidiStreamingCall, status } from "@grpc/grpc-js";
import { fileDescriptorSet } from "../../model/rpc/generated/descriptors.ts";
import {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../model/rpc/generated/grpc/reflection/v1/reflection.ts";
import type { Admission } from "../guards.ts";
import type { Bytes } from "./calls.ts";
import { readMessage } from "./messages.ts";
import type { Methods, reflectionMethods } from "./services.ts";
import { statusOf } from "./status.ts";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;
type File = ReturnType<FileRegistry["getFile"]>;

export interface ReflectionOptions {
  /** Names of the services that are served. */
  readonly services: readonly string[];
  readonly longCalls: Admission;
}

export function reflectionService({ services, longCalls }: ReflectionOptions): Methods<typeof reflectionMethods> {
  const reflect: handleBidiStreamingCall<Bytes, Bytes> = (call) => {
    let leave: () => void;
    try {
      leave = longCalls.enter();
    } catch (error) {
      call.emit("error", statusOf(error));
      return;
    }
    call.once("cancelled", leave);
    call.on("data", (bytes: Bytes) => {
      try {
        const request = readMessage(ServerReflectionRequest, bytes);
        const response = {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answerTo(request, services),
        };
        const taken = call.write(Buffer.from(ServerReflectionResponse.encode(response).finish()));
        if (taken) return;
        call.pause();
        call.once("drain", () => call.resume());
      } catch (error) {
        call.emit("error", statusOf(error));
      }
    });
    call.once("end", () => call.end());
  };
  return { ServerReflectionInfo: reflect };
}

/** Made when somebody first asks. */
let registry: FileRegistry | undefined;

function files(): FileRegistry {
  registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(fileDescriptorSet, "base64")));
  return registry;
}

function answerTo({ messageRequest }: ServerReflectionRequest, services: readonly string[]): Answer {
  switch (messageRequest?.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
    case "fileByFilename":
      return filesAnswer(files().getFile(messageRequest.value), `file "${messageRequest.value}"`);
    case "fileContainingSymbol":
      return filesAnswer(fileOfSymbol(messageRequest.value), `symbol "${messageRequest.value}"`);
    case "fileContainingExtension":
      return notFound("extension");
    case "allExtensionNumbersOfType": {
      const type = messageRequest.value;
      if (files().getMessage(type) === undefined) return notFound(`type "${type}"`);
      const value = { baseTypeName: type, extensionNumber: [] };
      return { $case: "allExtensionNumbersResponse", value };
    }
    case undefined:
      return errorAnswer(status.INVALID_ARGUMENT, "The request asks for nothing.");
  }
}

/** A type, a service, or something within one: `rdg.v1.Node.id`, `rdg.v1.GraphService.Traverse`. */
function fileOfSymbol(symbol: string): File {
  const name = symbol.replace(/^\./, "");
  const found = files().get(name) ?? files().get(name.slice(0, Math.max(0, name.lastIndexOf("."))));
  if (found === undefined) return undefined;
  if (found.typeName === name) return found.file;
  const member = name.slice(found.typeName.length + 1);
  return membersOf(found).includes(member) ? found.file : undefined;
}

function membersOf(of: NonNullable<ReturnType<FileRegistry["get"]>>): readonly string[] {
  switch (of.kind) {
    case "message":
      return [...of.fields, ...of.oneofs].map(({ name }) => name);
    case "enum":
      return of.values.map(({ name }) => name);
    case "service":
      return of.methods.map(({ name }) => name);
    case "extension":
      return [];
  }
}

/** The file, and all that it needs. */
function filesAnswer(file: File, what: string): Answer {
  if (file === undefined) return notFound(what);
  const all = new Set([file]);
  for (const each of all) for (const dependency of each.dependencies) all.add(dependency);
  const fileDescriptorProto = [...all].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(what: string): Answer {
  return errorAnswer(status.NOT_FOUND, `There is no ${what.slice(0, 200)}.`);
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
