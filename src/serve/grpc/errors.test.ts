// Errors as gRPC tells them: codes, fields, what to do and when, and nothing of what is the server's own.
import { once } from "node:events";
import { connect } from "node:http2";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { open, serve, start, failing, producePath, batch } from "../../../test/grpc/small-server.ts";
import { RdgError } from "../../core/errors.ts";
import { BadRecords, type Gateway } from "../../gateway/port.ts";
import { ProduceRequest, ProduceResponse } from "../../model/rpc/generated/rdg/v1/ingest_service.ts";

describe("errors", () => {
  test.each([
    [
      new RdgError("invalid", "bad_value", "No.", { place: "/hops/1/where/edge/and/0/plays/gte" }),
      status.INVALID_ARGUMENT,
    ],
    [new RdgError("not_found", "unknown_type", "No."), status.NOT_FOUND],
    [new RdgError("unauthorized", "type_not_readable", "No."), status.PERMISSION_DENIED],
    [new RdgError("unauthorized", "bad_credentials", "No."), status.UNAUTHENTICATED],
    [new RdgError("overloaded", "too_many_requests", "No.", { retryAfterMs: 1_250 }), status.RESOURCE_EXHAUSTED],
    [new RdgError("unavailable", "down", "No."), status.UNAVAILABLE],
    [new RdgError("unavailable", "not_applied_yet", "No."), status.DEADLINE_EXCEEDED],
    [new RdgError("corrupt", "damaged", "No."), status.DATA_LOSS],
    [new RdgError("conflict", "fenced", "No."), status.FAILED_PRECONDITION],
    [new RdgError("closed", "closed", "No."), status.UNAVAILABLE],
  ])("%s is a status with details", async (error, code) => {
    const { client } = await serve({ queries: failing(error) });
    await expect(client.traverse(start)).rejects.toMatchObject({
      code,
      message: "No.",
      reason: error.code.toUpperCase(),
      info: { domain: "rdg" },
    });
  });

  test("tell the field, what to do and when", async () => {
    const place = "/hops/1/where/edge/and/0/plays/in/3";
    const invalid = new RdgError("invalid", "bad_value", "Not so.", { place, hint: "But so." });
    await expect((await serve({ queries: failing(invalid) })).client.traverse(start)).rejects.toMatchObject({
      message: "Not so. But so.",
      fields: [{ field: "hops[1].where.edge.all_of.conditions[0].test.one_of.values[3]", reason: "BAD_VALUE" }],
    });
    const overloaded = new RdgError("overloaded", "too_many_requests", "Later.", { retryAfterMs: 1_250 });
    const { client } = await serve({ queries: failing(overloaded) });
    await expect(client.traverse(start)).rejects.toMatchObject({ retryAfterMs: 1_250, fields: [] });
  });

  test("that are bugs are told to the operator, and nothing of them to the caller", async () => {
    const seen: unknown[] = [];
    const bug = new TypeError("secret");
    const { client } = await serve({ queries: failing(bug), grpc: { onError: (error) => seen.push(error) } });
    const refusal = (await client.traverse(start).catch((error: unknown) => error)) as Error;
    expect(refusal).toMatchObject({ code: status.INTERNAL, reason: "INTERNAL" });
    expect(refusal.message).not.toContain("secret");
    expect(seen).toEqual([bug]);
  });

  test("of any length stay within what clients take", async () => {
    const problems = Array.from({ length: 100 }, (_, index) => ({
      index,
      field: `${"\u{1f600}".repeat(400)}\ud800`,
      code: "bad",
      reason: "ü".repeat(5_000),
    }));
    const gateway = { produce: () => Promise.reject(new BadRecords(problems, 100, 100)) } as unknown as Gateway;
    const { client } = await serve({ gateway });
    const error = await client
      .unary(producePath, ProduceRequest, ProduceResponse, batch("[]"))
      .catch((each: unknown) => each);
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "BAD_RECORDS" });
    expect((error as { fields: unknown[] }).fields.length).toBeGreaterThan(0);
  });

  test("come for messages that are none", async () => {
    const { port } = await serve({ queries: failing(new Error("not reached")) });
    const session = connect(`http://127.0.0.1:${port}`);
    open.push({ close: () => session.destroy() });
    const ask = async (message: Buffer): Promise<unknown> => {
      const headers = {
        ":method": "POST",
        ":path": "/rdg.v1.GraphService/Traverse",
        "content-type": "application/grpc",
      };
      const stream = session.request({ ...headers, te: "trailers" });
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([frame, message]));
      stream.resume();
      const [answer] = (await once(stream, "response")) as [Record<string, string>];
      return Number(answer["grpc-status"]);
    };
    // A field that ends too early, text that is no UTF-8, and a message nested in itself two hundred times.
    expect(await ask(Buffer.from([0x0a, 0x7f, 1]))).toBe(status.INVALID_ARGUMENT);
    expect(await ask(Buffer.from([0x12, 2, 0xff, 0xfe]))).toBe(status.INVALID_ARGUMENT);
    let nested = Buffer.alloc(0);
    for (let i = 0; i < 120; i++) nested = Buffer.concat([Buffer.from([0x22, ...lengthOf(nested)]), nested]);
    const where = Buffer.concat([Buffer.from([0x0a, ...lengthOf(nested)]), nested]);
    const hop = Buffer.concat([Buffer.from([0x22, ...lengthOf(where)]), where]);
    expect(await ask(Buffer.concat([Buffer.from([0x1a, ...lengthOf(hop)]), hop]))).toBe(status.INVALID_ARGUMENT);
  });
});

function lengthOf({ length }: Buffer): number[] {
  return length < 128 ? [length] : [(length & 127) | 128, length >>> 7];
}
