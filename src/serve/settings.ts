// Bounds and addresses of the HTTP server, with their defaults.

export interface ServerSettings {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Beside the loopback names: hosts (`graph.example.com`, `localhost:5173`) under which this server is asked, for the check of Host and Origin. */
  readonly allowedHosts: readonly string[];
  /** Bodies of events and inputs. */
  readonly eventBytesMax: number;
  /** Bodies of queries. */
  readonly queryBytesMax: number;
  /** Bodies being received or worked on, together; more are refused with 429. */
  readonly bytesInFlightMax: number;
  readonly queriesInFlightMax: number;
  readonly connectionsMax: number;
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
  eventBytesMax: 16_000_000,
  queryBytesMax: 1_000_000,
  bytesInFlightMax: 128_000_000,
  queriesInFlightMax: 256,
  connectionsMax: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  closeTimeoutMs: 10_000,
};
