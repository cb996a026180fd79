# Asks RDG over gRPC as a program would that has neither its protos nor its code: everything it knows comes from the reflection service.
# Prints what it was told as JSON, for grpc.test.ts to compare with what HTTP says.
import json
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from google.rpc import error_details_pb2

channel = grpc.insecure_channel(sys.argv[1])
database = ProtoReflectionDescriptorDatabase(channel)
pool = DescriptorPool(database)
graph = pool.FindServiceByName("rdg.v1.GraphService")
ingest = pool.FindServiceByName("rdg.v1.IngestService")


def begin(service, name, request, **options):
    method = service.methods_by_name[name]
    message = ParseDict(request, GetMessageClass(method.input_type)())
    answer = GetMessageClass(method.output_type)
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    ask = kind(
        f"/{service.full_name}/{name}",
        request_serializer=lambda each: each.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    return ask(message, **options)


def call(service, name, request, **options):
    told = begin(service, name, request, **options)
    if service.methods_by_name[name].server_streaming:
        return [MessageToDict(each) for each in told]
    return MessageToDict(told)


def refused(service, name, request, **options):
    try:
        call(service, name, request, **options)
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        for detail in status.details if status else []:
            for known in (info, bad):
                if detail.Is(known.DESCRIPTOR):
                    detail.Unpack(known)
        return {
            "code": error.code().name,
            "domain": info.domain,
            "reason": info.reason,
            "fields": [violation.field for violation in bad.field_violations],
        }
    raise SystemExit(f"{name} was not refused")


def step(name, run):
    told[name] = run()


told = {}
step("services", lambda: sorted(database.get_services()))
health = health_pb2_grpc.HealthStub(channel)
step("health", lambda: health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING)
requests = json.load(sys.stdin)
for name, (service, method, request) in requests["calls"].items():
    step(name, lambda: call(graph if service == "graph" else ingest, method, request))
for name, (service, method, request) in requests["refusals"].items():
    step(name, lambda: refused(graph if service == "graph" else ingest, method, request))
step("deadline", lambda: refused(graph, "Traverse", requests["slow"], timeout=0.3)["code"])

# A call that waits for positions that never come: were it one that the server answers, the answer could be here before its caller leaves.
waiting = begin(graph, "Traverse", requests["slow"])
waiting.cancel()
step("cancelled", lambda: waiting.code().name)
json.dump(told, sys.stdout)
