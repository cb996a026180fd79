import { MessageChannel } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { RdgError } from "./errors.ts";
import { HandedOver, RemoteThread, serveThread } from "./thread-bridge.ts";

const channels: MessageChannel[] = [];
let produced = 0;
let returned = false;

const buffers: Uint8Array<ArrayBuffer>[] = [];

const target = {
  base: 40,
  async *buffers() {
    for (let i = 0; i < 3; i++) {
      const bytes = new Uint8Array(100).fill(i);
      buffers.push(bytes);
      yield new HandedOver({ i, bytes }, [bytes.buffer]);
    }
  },
  add(a: number) {
    return Promise.resolve(this.base + a);
  },
  fail(): Promise<never> {
    return Promise.reject(
      new RdgError("overloaded", "busy", "Too much.", { hint: "Wait.", retryAfterMs: 5, details: [{ index: 3 }] }),
    );
  },
  async *numbers(upTo: number) {
    try {
      for (let i = 0; i < upTo; i++) {
        produced++;
        yield await Promise.resolve(i);
      }
    } finally {
      returned = true;
    }
  },
};

function bridge(): RemoteThread {
  const channel = new MessageChannel();
  channels.push(channel);
  serveThread(channel.port1, { target });
  return new RemoteThread(channel.port2);
}

afterEach(() => {
  for (const { port1 } of channels.splice(0)) port1.close();
  produced = 0;
  returned = false;
  buffers.length = 0;
});

test("calls answer with the method's value, on its own object", async () => {
  expect(await bridge().call("target", "add", [2])).toBe(42);
});

test("errors keep kind, code, hint and details", async () => {
  await expect(bridge().call("target", "fail", [])).rejects.toMatchObject({
    kind: "overloaded",
    code: "busy",
    hint: "Wait.",
    retryAfterMs: 5,
    details: [{ index: 3 }],
  });
});

test("a stream arrives whole and in order", async () => {
  const seen: number[] = [];
  for await (const item of bridge().stream<number>("target", "numbers", [100])) seen.push(item);
  expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i));
});

test("items of a stream hand buffers over, which are then gone on their side", async () => {
  const seen: unknown[] = [];
  for await (const item of bridge().stream("target", "buffers", [])) seen.push(item);
  expect(seen).toEqual([0, 1, 2].map((i) => ({ i, bytes: new Uint8Array(100).fill(i) })));
  expect(buffers.map(({ length }) => length)).toEqual([0, 0, 0]);
});

test("a stream runs ahead of its reader by a bound, and ends when the reader leaves", async () => {
  for await (const item of bridge().stream<number>("target", "numbers", [1_000_000])) {
    if (item === 10) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(produced).toBeLessThan(20);
  await expect.poll(() => returned).toBe(true);
});

test("when the other thread is gone, calls and streams fail", async () => {
  const remote = bridge();
  const reading = remote.stream("target", "numbers", [5]).next();
  remote.close(new RdgError("closed", "thread_ended", "The thread ended."));
  await expect(reading).rejects.toMatchObject({ code: "thread_ended" });
  await expect(remote.call("target", "add", [1])).rejects.toMatchObject({ code: "thread_ended" });
});
