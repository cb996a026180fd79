// The conformance cases of the CloudEvents project for the HTTP protocol binding (github.com/cloudevents/conformance: features/http-protocol-binding.feature
// and yaml/v1*.yaml), as requests that go over a socket.
import { once } from "node:events";
import { type IncomingMessage, createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { readBinary } from "./binary-mode.ts";
import { type CloudEvent, essenceOf } from "./cloud-event.ts";
import { readBatch, readStructured } from "./json-format.ts";

/** Sends the text, with `\r\n` for line ends and its length, and answers what a server takes from it. */
async function received(head: readonly string[], body: string): Promise<CloudEvent> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  try {
    const asked = once(server, "request") as Promise<[IncomingMessage]>;
    socket.write([...head, `Content-Length: ${Buffer.byteLength(body)}`, "", body].join("\r\n"));
    const [request] = await asked;
    const bytes = await buffer(request);
    const type = request.headers["content-type"];
    if (type !== undefined && essenceOf(type) === "application/cloudevents+json") return readStructured(bytes);
    return readBinary(request.rawHeaders, type, bytes)!;
  } finally {
    socket.destroy();
    server.close();
  }
}

const told = ({ attributes }: CloudEvent) => Object.fromEntries(attributes);
const line = ["POST /someresource HTTP/1.1", "Host: example.com"];
const message = '{\n    "message": "Hello World!"\n}\n';

describe("HTTP protocol binding", () => {
  for (const contentType of ["application/json", "application/json; charset=utf-8"]) {
    test(`binary content mode (${contentType})`, async () => {
      const event = await received(
        [
          ...line,
          "ce-specversion: 1.0",
          "ce-type: com.example.someevent",
          "ce-time: 2018-04-05T03:56:24Z",
          "ce-id: 1234-1234-1234",
          "ce-source: /mycontext/subcontext",
          `Content-Type: ${contentType}`,
        ],
        message,
      );
      expect(told(event)).toEqual({
        id: "1234-1234-1234",
        specversion: "1.0",
        type: "com.example.someevent",
        source: "/mycontext/subcontext",
        time: "2018-04-05T03:56:24Z",
        datacontenttype: contentType,
      });
      expect(event.data).toEqual({ json: { message: "Hello World!" } });
    });
  }

  for (const contentType of ["application/cloudevents+json", "application/cloudevents+json; charset=utf-8"]) {
    test(`structured content mode (${contentType})`, async () => {
      const sent = {
        specversion: "1.0",
        type: "com.example.someevent",
        time: "2018-04-05T03:56:24Z",
        id: "1234-1234-1234",
        source: "/mycontext/subcontext",
        datacontenttype: "application/json",
      };
      const body = JSON.stringify({ ...sent, data: { message: "Hello World!" } }, undefined, 4);
      const event = await received([...line, `Content-Type: ${contentType}`], body);
      expect(told(event)).toEqual(sent);
      expect(event.data).toEqual({ json: { message: "Hello World!" } });
    });
  }

  const minimum: readonly (readonly [type: string, body: string, data: unknown])[] = [
    ["text/plain; charset=us-ascii", "Hello, World!\n", { bytes: Buffer.from("Hello, World!\n") }],
    ["text/plain; charset=utf-8", "Hello, 🌎!\n", { bytes: Buffer.from("Hello, 🌎!\n") }],
    ["application/json; charset=utf-8", '"Hello, 🌎!"\n', { json: "Hello, 🌎!" }],
    ["application/json; charset=utf-8", '{"msg":"Hello, 🌎!"}\n', { json: { msg: "Hello, 🌎!" } }],
    ["application/json; charset=utf-8", '["Hello","🌎!"]\n', { json: ["Hello", "🌎!"] }],
    ["application/xml; charset=utf-8", "<msg>Hello, 🌎!</msg>\n", { bytes: Buffer.from("<msg>Hello, 🌎!</msg>\n") }],
  ];
  for (const [contentType, body, data] of minimum) {
    test(`the minimum, with ${contentType}: ${body.trim()}`, async () => {
      const event = await received(
        [
          ...line,
          "CE-SpecVersion: 1.0",
          "CE-Type: io.cloudevents.minimum",
          "CE-Id: conformance-0001",
          "CE-Source: //github.com/cloudevents/cloudeventsconformance/yaml/v1.yaml",
          `Content-Type: ${contentType}`,
        ],
        body,
      );
      expect(event.attributes.get("datacontenttype")).toBe(contentType);
      expect(event.data).toEqual(data);
    });
  }

  test("extensions, in both modes", async () => {
    const extensions = { comexampleextension1: "value", comexampleextension2: '{"othervalue": 5}' };
    const attributes = {
      specversion: "1.0",
      type: "com.example.someevent",
      id: "4321-4321-4321",
      source: "/mycontext",
    };
    const all = { ...attributes, ...extensions };
    const headers = Object.entries(all).map(([name, value]) => `ce-${name}: ${value}`);
    const binary = await received([...line, ...headers, "user-agent: foo"], '{"world":"hello"}');
    expect(told(binary)).toEqual(all);
    const body = JSON.stringify({ ...all, data: { world: "hello" } });
    const structured = await received([...line, "Content-Type: application/cloudevents+json"], body);
    expect(told(structured)).toEqual(all);
    expect(structured.data).toEqual(binary.data);
  });

  test("header values are percent-encoded UTF-8 (section 3.1.3.2), or quoted by older senders", async () => {
    const head = [
      ...line,
      "ce-id: Euro%20%E2%82%AC%20%f0%9f%98%80",
      'ce-source: "a \\"b\\""',
      "ce-type: 100%",
      "ce-subject: %ff",
    ];
    const event = await received(head, "");
    expect(told(event)).toMatchObject({ id: "Euro € 😀", source: 'a "b"', type: "100%" });
    expect(event).toMatchObject({ data: undefined, problem: { code: "bad_attribute", field: "subject" } });
  });

  test("an attribute that is given twice is none", async () => {
    const event = await received([...line, "ce-id: a", "ce-id: b"], "");
    expect(event.problem).toMatchObject({ code: "bad_attribute", field: "id" });
  });
});

describe("JSON event format", () => {
  test("data_base64 is the data, parsed where it is JSON", () => {
    const base = { specversion: "1.0", id: "1", source: "/", type: "t" };
    const encoded = Buffer.from('{"a":1}').toString("base64");
    const [json, bytes, none, both, wrong] = readBatch(
      Buffer.from(
        JSON.stringify([
          { ...base, data_base64: encoded },
          { ...base, datacontenttype: "image/png", data_base64: "AAEC" },
          { ...base, subject: null },
          { ...base, data: 1, data_base64: "AAEC" },
          { ...base, data_base64: "?" },
        ]),
      ),
    );
    expect(json!.data).toEqual({ json: { a: 1 } });
    expect(bytes!.data).toEqual({ bytes: new Uint8Array([0, 1, 2]) });
    expect(none!.data).toBeUndefined();
    expect(none!.attributes.has("subject")).toBe(false);
    expect([both!.problem?.code, wrong!.problem?.code]).toEqual(["bad_data", "bad_data"]);
  });

  test("a batch is a list; what is no object in it is a problem of its own", () => {
    expect(() => readBatch(Buffer.from("{}"))).toThrow(expect.objectContaining({ code: "not_a_list" }) as Error);
    expect(() => readStructured(Buffer.from("{"))).toThrow(expect.objectContaining({ code: "bad_json" }) as Error);
    expect(readBatch(Buffer.from("[]"))).toEqual([]);
    expect(readBatch(Buffer.from("[1]"))[0]!.problem?.code).toBe("not_an_object");
  });
});
