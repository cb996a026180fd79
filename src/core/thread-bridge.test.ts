import { MessageChannel } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { RdgError } from "./errors.ts";
import { RemoteThread, serveThread } from "./thread-bridge.ts";

const channels: MessageChannel[] = [];
let produced = 0;
let returned = false;

const target = {
  base: 40,
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
