// The public entry point `rdg/client`: a typed client over HTTP, for Node and browsers.
export { RdgError, type ErrorKind } from "../core/errors.ts";
export type { Answer, EdgeRow, NodeRow } from "./answer.ts";
export { connect, type Client, type ConnectOptions, type Produced } from "./client.ts";
export type { EdgeFilter, HopOptions, RunOptions, Steps } from "./steps.ts";
