// Every setting of an embedded RDG, in one list: `rdg config` prints it, flags and variables are derived from it.
import { totalmem } from "node:os";
import type { SettingList, SettingValues } from "../core/settings.ts";

export const embeddedSettings = {
  host: { kind: "text", default: "127.0.0.1", description: "Address of the HTTP server." },
  port: { kind: "integer", default: 7400, max: 65_535, description: "Port of the HTTP server; 0 takes a free one." },
  "grpc.port": {
    kind: "text",
    default: "next",
    description: "Port of the gRPC server: a number, 0 for a free one, next for the one behind HTTP's, or off.",
  },
  data: { kind: "text", default: ".rdg", description: "Folder of all data." },
  "log.level": {
    kind: "text",
    default: "info",
    description: "Messages on stderr: debug, info, warn, error or silent.",
  },
  "log.segment": { kind: "size", default: 64_000_000, min: 100_000, description: "Size at which a segment file ends." },
  "gateway.body": { kind: "size", default: 16_000_000, min: 1000, description: "Largest request body." },
  "gateway.inFlight": {
    kind: "size",
    default: 64_000_000,
    min: 1000,
    description: "Bytes of requests not yet durable; more are refused with 429.",
  },
  "gateway.latency": {
    kind: "duration",
    default: 500,
    min: 1,
    description: "When events take longer than this to be durable, fewer are taken at once, and more refused with 429.",
  },
  "gateway.lag": {
    kind: "size",
    default: 64_000_000,
    min: 1000,
    description: "Bytes of events not yet in the graph; more are refused with 429 until the jobs have caught up.",
  },
  "jobs.window": {
    kind: "text",
    default: "",
    description: "Merge window of all jobs, such as 250ms or 0s, instead of what the definition says.",
  },
  "memory.hugePages": {
    kind: "boolean",
    default: true,
    description: "Whether to ask Linux for huge pages: a tenth more events for the same CPU.",
  },
  "inputs.memory": {
    kind: "size",
    default: 512_000_000,
    min: 1000,
    description: "Memory for the rows of all side inputs; at it, rows are refused with 503 and events go on.",
  },
  "jobs.paused": { kind: "text", default: "", description: "Events, separated by commas, whose jobs do not run." },
  "store.memory": {
    kind: "size",
    default: Math.floor(totalmem() / 2),
    min: 1_000_000,
    description: "Memory for the graph; at it, events are refused with 503 and reads go on.",
  },
  "store.checkpoint": {
    kind: "size",
    default: 64_000_000,
    min: 100_000,
    description: "Bytes of transactions after which the store writes a checkpoint; bounds the replay of a restart.",
  },
  "serve.slow": {
    kind: "duration",
    default: 1_000,
    description: "Queries that take longer are logged with their plan; 0 logs none.",
  },
  "otel.endpoint": {
    kind: "text",
    default: "",
    description: "OpenTelemetry collector that gets spans of requests by OTLP/HTTP, such as http://127.0.0.1:4318.",
  },
  "otel.percent": {
    kind: "integer",
    default: 100,
    max: 100,
    description: "Share of requests that are traced, of those whose caller has not decided it.",
  },
  "serve.timeout": { kind: "duration", default: 10_000, min: 1, description: "Longest time a traversal may take." },
  "serve.cache": {
    kind: "size",
    default: 0,
    description: "Memory for a cache before the store; 0: none. The store in this process's memory needs none.",
  },
  "serve.cacheTtl": {
    kind: "duration",
    default: 1_000,
    min: 1,
    description: "For how long the cache answers for a store that is elsewhere: so much older an answer may be.",
  },
  "serve.hosts": {
    kind: "text",
    default: "",
    description: "Beside its own: host names, separated by commas, under which this server is asked.",
  },
  "serve.cors": {
    kind: "text",
    default: "",
    description: "Origins, separated by commas, whose pages may ask this server, such as https://app.example.com.",
  },
  "serve.trustProxy": {
    kind: "text",
    default: "",
    description:
      "Addresses and networks, separated by commas, of proxies whose X-Forwarded-For tells where requests come from.",
  },
  "auth.mode": {
    kind: "text",
    default: "auto",
    description:
      "Whether callers must say who they are: on, off, or auto: once there is a key or another way, and always beyond loopback.",
  },
  "auth.jwks": {
    kind: "text",
    default: "",
    description: "Where the public keys of tokens (JWT) are: an https URL or a file.",
  },
  "auth.issuer": { kind: "text", default: "", description: "Issuer of tokens: their claim iss." },
  "auth.audience": { kind: "text", default: "", description: "This RDG in the claim aud of tokens." },
  "auth.skew": {
    kind: "duration",
    default: 30_000,
    max: 600_000,
    description: "By how much the clock of the issuer may differ.",
  },
  "rate.requests": {
    kind: "integer",
    default: 0,
    description: "Requests per second that a caller may send, unless its key says otherwise; 0: no limit.",
  },
  "rate.scanned": {
    kind: "integer",
    default: 0,
    description: "Edges per second that a caller's queries may scan, unless its key says otherwise; 0: no limit.",
  },
  "tls.cert": { kind: "text", default: "", description: "File with the server's certificate, as PEM." },
  "tls.key": { kind: "text", default: "", description: "File with the certificate's key, as PEM." },
  "tls.clientCa": {
    kind: "text",
    default: "",
    description: "File with the certificates, as PEM, of who signs those of clients.",
  },
  "tls.crl": {
    kind: "text",
    default: "",
    description: "File with the lists, as PEM, of client certificates that were revoked: one per authority.",
  },
  "tls.requireClientCert": {
    kind: "boolean",
    default: false,
    description: "Whether connections without a client certificate are refused.",
  },
  "tls.clients": {
    kind: "text",
    default: "",
    description: "JSON file that says which client certificate has which scopes.",
  },
  "tls.off": {
    kind: "boolean",
    default: false,
    description: "Takes unencrypted requests beyond loopback, too: a proxy in front ends TLS.",
  },
  "audit.size": { kind: "size", default: 16_000_000, min: 10_000, description: "Size of a file of the audit log." },
  "audit.files": {
    kind: "integer",
    default: 20,
    min: 2,
    max: 10_000,
    description: "Files of the audit log that are kept.",
  },
} as const satisfies SettingList;

export type EmbeddedSettings = SettingValues<typeof embeddedSettings>;
