// Bytes that are HTTP only nearly, or HTTP that means harm: paths, headers, lengths, versions, names (docs/events.md, "Errors of a request").
import { bad, type BadRequest, raw, types } from "./bad-request.ts";
import { readingText } from "./record-cases.ts";

const events = "/v1/events/reading";
const { json, ndjson } = types;
const good = readingText("refused");
const host = "host: localhost\r\n";
const asJson = "content-type: application/json\r\n";
const post = (headers: string, body = ""): string => `POST ${events} HTTP/1.1\r\n${host}${asJson}${headers}\r\n${body}`;
const get = (headers: string): string => `GET /v1/status HTTP/1.1\r\n${host}${headers}\r\n`;

const paths: readonly BadRequest[] = [
  bad("GET of events", [405, "method_not_allowed"], "GET", events),
  bad("DELETE of events", [405, "method_not_allowed"], "DELETE", events),
  bad("OPTIONS", [405, "method_not_allowed"], "OPTIONS", events),
  bad("TRACE", [405, "method_not_allowed"], "TRACE", "/v1/status"),
  bad("OPTIONS of everything", [404, "unknown_path"], "OPTIONS", "*"),
  bad("another case", [404, "unknown_path"], "GET", "/V1/STATUS"),
  bad("a slash at the end", [404, "unknown_path"], "GET", "/v1/status/"),
  bad("two slashes", [404, "unknown_path"], "GET", "//v1/status"),
  bad("../", [404, "unknown_path"], "POST", "/v1/events/../../etc/passwd", ndjson, good),
  bad("%2e%2e/", [404, "unknown_path"], "POST", "/v1/events/%2e%2e/%2e%2e/x", ndjson, good),
  bad("an encoded slash in a name", [404, "unknown_event"], "POST", "/v1/events/a%2Freading", ndjson, good),
  bad("encoded slashes in the path", [404, "unknown_path"], "POST", "/v1%2Fevents%2Freading", ndjson, good),
  bad("an invalid percent", [400, "bad_url"], "GET", "/v1/nodes/sensor/%zz"),
  bad("a percent at the end", [400, "bad_url"], "GET", "/v1/nodes/sensor/%"),
  bad("percents that are not UTF-8", [400, "bad_url"], "GET", "/v1/nodes/sensor/%ff"),
  bad("a surrogate in percents", [400, "bad_url"], "GET", "/v1/nodes/sensor/%ED%A0%80"),
  bad("7,500 segments", [404, "unknown_path"], "GET", `/${"x/".repeat(7500)}`),
  bad("a URL of 20,000 bytes", [431, "headers_too_large"], "GET", `/${"x".repeat(20_000)}`),
];

const names: readonly BadRequest[] = [
  raw("no host", [400, "bad_http"], "GET /v1/status HTTP/1.1\r\n\r\n"),
  bad("two hosts", [400, "bad_http"], "GET", "/v1/status", { host: ["localhost", "evil.test"] }),
  raw("no host in HTTP/1.0", [403, "host_not_allowed"], "GET /v1/status HTTP/1.0\r\n\r\n"),
  bad("another host", [403, "host_not_allowed"], "GET", "/v1/status", { host: "evil.test" }),
  bad("a host that ends like ours", [403, "host_not_allowed"], "GET", "/v1/status", { host: "evil-localhost" }),
  bad("a host that begins like ours", [403, "host_not_allowed"], "GET", "/v1/status", { host: "127.0.0.1.evil.test" }),
  bad("events from another host", [403, "host_not_allowed"], "POST", events, { ...json, host: "evil.test" }, good),
  bad("another origin", [403, "origin_not_allowed"], "POST", events, { ...json, origin: "http://evil.test" }, good),
  bad("another port as origin", [403, "origin_not_allowed"], "GET", "/v1/status", { origin: "http://127.0.0.1:1" }),
  bad("the origin null", [403, "origin_not_allowed"], "GET", "/v1/status", { origin: "null" }),
  bad("an origin that is none", [403, "origin_not_allowed"], "GET", "/v1/status", { origin: "http://" }),
];

const headers: readonly BadRequest[] = [
  raw("2,000 headers", [431, "headers_too_large"], get("x: y\r\n".repeat(4000))),
  raw("a header of 20,000 bytes", [431, "headers_too_large"], get(`x: ${"y".repeat(20_000)}\r\n`)),
  raw("a blank in a header's name", [400, "bad_http"], get("x y: 1\r\n")),
  raw("a control character in a header", [400, "bad_http"], get("x: a\u0001b\r\n")),
  raw("a nul in a header", [400, "bad_http"], get("x: a\0b\r\n")),
  raw("a folded header", [400, "bad_http"], get("x: a\r\n b\r\n")),
  raw("a header without a colon", [400, "bad_http"], get("nothing\r\n")),
  raw("lines that end with LF", [400, "bad_http"], "GET /v1/status HTTP/1.1\nhost: localhost\n\n"),
  raw("an expectation that is none", [417], get("expect: 200-ok\r\n")),
];

const protocols: readonly BadRequest[] = [
  raw("HTTP/0.9", [400, "bad_http"], "GET /v1/status\r\n\r\n"),
  raw("HTTP/2", [400, "bad_http"], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  raw("HTTP/9.9", [400, "bad_http"], `GET /v1/status HTTP/9.9\r\n${host}\r\n`),
  raw("TLS", [400, "bad_http"], Buffer.from("16030100a5010000a10303", "hex"), Buffer.alloc(100)),
  raw("noise", [400, "bad_http"], Buffer.from([0xff, 0x00, 0x80, 0x0d, 0x0a, 0x0d, 0x0a])),
  raw("a method that is none", [400, "bad_http"], `BREW /v1/status HTTP/1.1\r\n${host}\r\n`),
  raw("CONNECT", [undefined], `CONNECT localhost:1 HTTP/1.1\r\n${host}\r\n`),
];

const lengths: readonly BadRequest[] = [
  raw(
    "a length and chunks",
    [400, "bad_http"],
    post("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
  ),
  raw("two lengths", [400, "bad_http"], post("content-length: 5\r\ncontent-length: 6\r\n", "{}{}{}")),
  raw("a negative length", [400, "bad_http"], post("content-length: -5\r\n", "{}")),
  raw("a length in hex", [400, "bad_http"], post("content-length: 0x10\r\n", "{}")),
  raw("a length beyond all integers", [400, "bad_http"], post("content-length: 99999999999999999999\r\n", "{}")),
  raw("a length of a petabyte", [413, "body_too_large"], post("content-length: 1000000000000000\r\n", "{}")),
  raw("a length less than the body", [400, "bad_json"], post("content-length: 1\r\n", "{}\r\n\r\n")),
  raw("chunks of no size", [400, "bad_http"], post("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n")),
  raw(
    "a chunk longer than its size",
    [400, "bad_http"],
    post("transfer-encoding: chunked\r\n", "1\r\n{}\r\n0\r\n\r\n"),
  ),
  raw(
    "30,000 bytes behind a chunk's size",
    [400, "bad_http"],
    post("transfer-encoding: chunked\r\n", `2;${"x".repeat(30_000)}\r\n{}\r\n0\r\n\r\n`),
  ),
  raw(
    "10,000 trailers",
    [431, "headers_too_large"],
    post("transfer-encoding: chunked\r\n", `2\r\n{}\r\n0\r\n${"x: y\r\n".repeat(10_000)}\r\n`),
  ),
  raw(
    "17 MB in chunks of 1 MB",
    [413, "body_too_large"],
    post("transfer-encoding: chunked\r\n"),
    ...Array.from({ length: 17 }, () => `f4240\r\n${" ".repeat(1_000_000)}\r\n`),
    "0\r\n\r\n",
  ),
  raw("a transfer encoding that is none", [400, "bad_http"], post("transfer-encoding: identity\r\n", "{}")),
  raw(
    "gzip as transfer encoding",
    [400, "bad_records"],
    post("transfer-encoding: gzip, chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
  ),
];

export const httpRequests: readonly BadRequest[] = [...paths, ...names, ...headers, ...protocols, ...lengths];
