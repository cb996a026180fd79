// The public entry point `rdg/client`: a typed client over HTTP, for Node and browsers.
export { RdgError, type ErrorKind } from "../core/errors.ts";
export type { Answer, AnyHop, Cut, HopOf } from "./answer.ts";
export { connect, type Addressed, type Client, type ConnectOptions, type ProduceOptions } from "./client.ts";
export type { Sent } from "./event-batch.ts";
export type { Fetch, Token } from "./http.ts";
export { rowAs } from "./levels.ts";
export type { ProducerOptions } from "./producer-options.ts";
export type { EventProducer, SendOptions } from "./producer.ts";
export type { EdgeRow, JsonProperties, NodeRow } from "./rows.ts";
export { eitherWay, inward, outward, type Bounds, type Filter, type RuleOptions } from "./rules.ts";
export type {
  AnyHopOptions,
  AskOptions,
  HopOptions,
  Repeat,
  RepeatedHopOptions,
  ResumeOptions,
  RowsOptions,
  RunOptions,
  Steps,
} from "./steps.ts";
export type { TextAnswer, TextOptions } from "./text-query.ts";
export type { Produced } from "./transport.ts";
export type { SelectingEdge, WalkedEdge } from "./walked-edge.ts";
export type { EnrichmentAnswer, Explanation, RuleOrigin, TruncationCause } from "../model/traversal.ts";
export type {
  CommonNeighboursOptions,
  Counted,
  EdgesOptions,
  LoneEdge,
  NeighboursFound,
  PathFound,
  Questions,
  SelectOptions,
  ShortestPathOptions,
} from "./questions.ts";
