// The public entry point `rdg/client`: a typed client over HTTP, for Node and browsers.
export { RdgError, type ErrorKind } from "../core/errors.ts";
export type { Answer, EdgeRow, NodeRow } from "./answer.ts";
export { connect, type Client, type ConnectOptions, type ProduceOptions } from "./client.ts";
export type { Sent } from "./event-batch.ts";
export type { Fetch, Token } from "./http.ts";
export type { EventProducer, ProducerOptions, SendOptions } from "./producer.ts";
export type { Produced } from "./transport.ts";
export type { EdgeFilter, HopOptions, RunOptions, Steps } from "./steps.ts";
