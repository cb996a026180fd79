// The bounds of the gateway: of a request, of all requests together, and what is answered at them and at the end.
import { describe, expect, test } from "vitest";
import { model, gateway, useGateway, produce, order, stored, problemsOf, withAppend } from "../../test/gateway/shop.ts";
import { RdgError } from "../core/errors.ts";

describe("bounds", () => {
  test.each([
    ["an unknown event", { target: { kind: "event", name: "ordr" } }, "not_found", "unknown_event"],
    ["an unknown side input", { target: { kind: "input", name: "order" } }, "not_found", "unknown_input"],
    ["a name of JavaScript", { target: { kind: "event", name: "__proto__" } }, "not_found", "unknown_event"],
  ] as const)("%s is not found", async (_, more, kind, code) => {
    await expect(produce(order("c1"), more)).rejects.toMatchObject({ kind, code });
  });

  test("a body, a record, and the number of records have a bound", async () => {
    await useGateway({ bodyBytesMax: 1000, recordBytesMax: 100, recordsMax: 3 });
    await expect(produce(" ".repeat(1001))).rejects.toMatchObject({ kind: "invalid", code: "body_too_large" });
    const three = Array.from({ length: 3 }, () => order("c1")).join("\n");
    expect(await produce(three)).toMatchObject({ accepted: 3 });
    await expect(produce(`${three}\n{}`)).rejects.toMatchObject({ kind: "invalid", code: "too_many_records" });
    await expect(produce(`[${three.replaceAll("\n", ",")},1]`, { format: "json" })).rejects.toMatchObject({
      code: "too_many_records",
    });
    expect((await problemsOf(order("c1", { note: "x".repeat(80) }))).problems[0]).toMatchObject({
      code: "record_too_large",
    });
    expect(await produce(order("c1"))).toMatchObject({ accepted: 1 });
    expect(await stored("events.order")).toHaveLength(4);
  });

  test("more requests or bytes in flight than allowed are refused until some are answered", async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await useGateway(
      { inFlightRequestsMax: 2, inFlightBytesMax: 1000, retryAfterMs: 70 },
      withAppend(
        (append) =>
          async (...args) =>
            released.then(() => append(...args)),
      ),
    );
    const first = produce(order("c1"));
    await expect(produce(" ".repeat(990))).rejects.toMatchObject({
      kind: "overloaded",
      code: "gateway_overloaded",
      retryAfterMs: 70,
    });
    const second = produce(order("c2"));
    await expect(produce(order("c3"))).rejects.toMatchObject({ kind: "overloaded" });
    expect(gateway.statistics()).toMatchObject({ inFlightRequests: 2, refusedRequests: 2 });
    release();
    await Promise.all([first, second]);
    expect(await produce(order("c3"))).toMatchObject({ accepted: 1 });
    expect(gateway.statistics()).toMatchObject({ inFlightRequests: 0, inFlightBytes: 0 });
    expect(await produce(" ".repeat(2000))).toMatchObject({ accepted: 0 });
  });

  test("while something behind the gateway is full, requests are refused with its error", async () => {
    const full = new RdgError("unavailable", "store_full", "The store's memory is full.", { retryAfterMs: 5000 });
    gateway.setUnavailable(full);
    await expect(produce(order("c1"))).rejects.toBe(full);
    gateway.setUnavailable(undefined);
    expect(await produce(order("c1"))).toMatchObject({ accepted: 1 });
  });

  test("while there is no room for rows, rows are refused and events go on", async () => {
    const full = new RdgError("unavailable", "inputs_full", "The rows take too much memory.", { retryAfterMs: 5000 });
    gateway.setInputsUnavailable(full);
    const row = { target: { kind: "input", name: model.sideInputs[0]!.name }, format: "json", partial: false } as const;
    await expect(gateway.produce({ ...row, body: Buffer.from("{}") })).rejects.toBe(full);
    expect(await produce(order("c1"))).toMatchObject({ accepted: 1 });
    gateway.setInputsUnavailable(undefined);
    await expect(gateway.produce({ ...row, body: Buffer.from("{}") })).rejects.toMatchObject({ code: "bad_records" });
    expect(gateway.statistics().refusedRequests).toBe(1);
  });

  test("closing waits for what is in flight and refuses what comes then", async () => {
    const inFlight = produce(order("c1"));
    const closed = gateway.close();
    await expect(produce(order("c2"))).rejects.toMatchObject({ kind: "closed" });
    expect(await inFlight).toMatchObject({ accepted: 1 });
    await closed;
  });
});
