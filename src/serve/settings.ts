// Bounds and addresses of the HTTP server, with their defaults.

export interface ServerSettings {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Beside the loopback names: hosts (`graph.example.com`, `localhost:5173`) under which this server is asked, for the check of Host and Origin. */
  readonly allowedHosts: readonly string[];
  /** Origins (`https://console.example.com`) whose pages may ask this server and read its answers. */
  readonly corsOrigins: readonly string[];
  /** Whether requests without TLS are taken beyond loopback, because a proxy in front ends TLS. */
  readonly plaintext: boolean;
  /** Bodies of events and inputs. */
  readonly eventBytesMax: number;
  /** Bodies of queries. */
  readonly queryBytesMax: number;
  /** Bodies of events and inputs that are being received or worked on, together; more are refused with 429. */
  readonly bytesInFlightMax: number;
  /** Such requests whose bodies are there and which are worked on. */
  readonly eventsInFlightMax: number;
  /** When such requests take longer than this to be durable, fewer bytes of them are taken at once. */
  readonly eventLatencyMs: number;
  /** All other bodies, together. */
  readonly otherBytesInFlightMax: number;
  readonly queriesInFlightMax: number;
  /** Queries that wait for positions. They take nothing from the others. */
  readonly waitersMax: number;
  /** Answers of queries that their callers have not taken yet, together; while there are more, queries are refused with 429. */
  readonly answerBytesMax: number;
  /** Requests for status, metrics and schemas that are worked on. */
  readonly othersInFlightMax: number;
  /** Readers of topics at once. */
  readonly streamsMax: number;
  /** Answers at once that are taken line by line. */
  readonly queryStreamsMax: number;
  readonly connectionsMax: number;
  /** Who sends or takes for longer than this has to make room when a bound on bytes is reached. */
  readonly slowMs: number;
  /** A connection that takes nothing of its answer for so long is cut. */
  readonly stallTimeoutMs: number;
  /** For all headers of a request, and for the whole request: what is slower is cut. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** How long `close` waits for requests in flight. */
  readonly closeTimeoutMs: number;
}

export const defaultServerSettings: ServerSettings = {
  host: "127.0.0.1",
  port: 7400,
  allowedHosts: [],
  corsOrigins: [],
  plaintext: false,
  eventBytesMax: 16_000_000,
  queryBytesMax: 1_000_000,
  bytesInFlightMax: 64_000_000,
  eventsInFlightMax: 1024,
  eventLatencyMs: 500,
  otherBytesInFlightMax: 64_000_000,
  queriesInFlightMax: 256,
  waitersMax: 256,
  answerBytesMax: 256_000_000,
  othersInFlightMax: 64,
  streamsMax: 32,
  queryStreamsMax: 64,
  connectionsMax: 10_000,
  slowMs: 5_000,
  stallTimeoutMs: 30_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  closeTimeoutMs: 10_000,
};
