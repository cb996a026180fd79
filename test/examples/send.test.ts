// How the examples send records: whatever the server answers, each batch is stored once, or the failure is told.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { InFlight, RdgConnection } from "../../examples/send.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;
let server: Server | undefined;
let connection: RdgConnection | undefined;

async function serve(handler: Handler): Promise<RdgConnection> {
  server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => handler(request, response, body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  connection = new RdgConnection(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return connection;
}
afterEach(() => {
  connection?.close();
  server?.closeAllConnections();
  server?.close();
});

test("a batch is tried again with the same key while the server is busy, away or cuts the connection", async () => {
  const keys: (string | undefined)[] = [];
  const failures: Handler[] = [
    (_, response) => response.writeHead(429).end("{}"),
    (request) => request.socket.destroy(),
    (_, response) => response.writeHead(503).end("<html>"),
    (_, response) => response.writeHead(202).end('{"accepted":2,"positions":["events.x/0@1"]}'),
  ];
  const rdg = await serve((request, response, body) => {
    keys.push(request.headers["idempotency-key"]?.toString());
    expect([request.url, request.headers["content-type"], body]).toEqual([
      "/v1/events/x",
      "application/x-ndjson",
      "{}\n{}\n",
    ]);
    failures[keys.length - 1]!(request, response, body);
  });
  expect(await rdg.produce("events/x", Buffer.from("{}\n{}\n"), "k1")).toEqual({
    accepted: 2,
    positions: ["events.x/0@1"],
  });
  expect(keys).toEqual(["k1", "k1", "k1", "k1"]);
});

test("what repeating cannot help fails at once, in the server's words", async () => {
  let requests = 0;
  const rdg = await serve((_, response) => {
    requests++;
    response.writeHead(400).end('{"code":"bad_record","detail":"Record 3 has no id.","hint":"Give it one."}');
  });
  const failed = rdg.produce("events/x", Buffer.from("{}"), "k");
  await expect(failed).rejects.toMatchObject({ message: "Record 3 has no id. Give it one.", code: "bad_record" });
  await expect(rdg.ask("/v1/traverse", {})).rejects.toMatchObject({ status: 400 });
  expect(requests).toBe(2);
});

test("work in flight is bounded and finishes in the order of its beginning", async () => {
  const finished: number[] = [];
  const endings: (() => void)[] = [];
  const inFlight = new InFlight(3);
  for (let i = 0; i < 3; i++) {
    await inFlight.room();
    const work = new Promise<number>((resolve) => endings.push(() => resolve(i)));
    inFlight.add(work, (result) => finished.push(result));
  }
  let hasRoom = false;
  const room = inFlight.room().then(() => (hasRoom = true));
  endings[2]!();
  endings[1]!();
  await new Promise(setImmediate);
  expect([hasRoom, finished]).toEqual([false, []]);
  endings[0]!();
  await room;
  await inFlight.drain();
  expect(finished).toEqual([0, 1, 2]);
});

test("a failure in flight is told to whoever waits, and what came after it does not count as finished", async () => {
  const finished: number[] = [];
  const inFlight = new InFlight(2);
  inFlight.add(Promise.reject(new Error("lost")), () => finished.push(0));
  inFlight.add(Promise.resolve(1), () => finished.push(1));
  await expect(inFlight.room()).rejects.toThrow("lost");
  await expect(inFlight.drain()).rejects.toThrow("lost");
  expect(finished).toEqual([]);
});
