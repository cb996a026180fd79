// Bounds and address of the gRPC server, with their defaults. What it shares with HTTP (admissions, answers, events) is bounded by `ServerBounds`.

export interface GrpcSettings {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** A proxy in front encrypts: beyond loopback the server itself does not have to. */
  readonly plaintext: boolean;
  /** Of a request. Most clients and servers have this bound for what they receive, too. */
  readonly messageBytesMax: number;
  /** Requests whose message is being received, together with the others: each may come to hold `messageBytesMax`. */
  readonly receivingMax: number;
  /** Answers come in messages of about this size; a single element that is larger is one message. */
  readonly answerMessageBytes: number;
  readonly connectionsMax: number;
  readonly callsPerConnectionMax: number;
  /** Watchers of health and readers of reflection, together: they stay. */
  readonly longCallsMax: number;
  /** Who sends for longer than this has to make room when too many are being received. */
  readonly slowMs: number;
  /** A call that takes nothing of its answer for so long is ended; its connection is cut when it gives no sign of life within `slowMs` then. */
  readonly stallTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  /** A connection without calls is asked for a sign of life so often, and cut when it gives none in time. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** The longest `timeoutMs` that a question may have. */
  readonly timeoutMsMax: number;
  /** How long `close` waits for calls in flight. */
  readonly closeTimeoutMs: number;
  /** How often readiness is looked at for those who watch it. */
  readonly healthIntervalMs: number;
}

export const defaultGrpcSettings: GrpcSettings = {
  host: "127.0.0.1",
  port: 7401,
  plaintext: false,
  messageBytesMax: 4 * 1024 * 1024,
  receivingMax: 256,
  answerMessageBytes: 128 * 1024,
  connectionsMax: 10_000,
  callsPerConnectionMax: 256,
  longCallsMax: 256,
  slowMs: 5_000,
  stallTimeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  timeoutMsMax: 10_000,
  closeTimeoutMs: 10_000,
  healthIntervalMs: 500,
};
