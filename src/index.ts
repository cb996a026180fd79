// The public entry point of RDG for programs that define, run or embed a graph.
export { defineConfig, type RdgConfig, type TopicConfig } from "./compose/cluster/config.ts";
export { RdgError, type ErrorDetails, type ErrorKind } from "./core/errors.ts";
export type { GraphModel } from "./model/definition.ts";
export type { AnyEdge, AnyEvent, AnyNode, AnySideInput, Duration } from "./model/define/declaration.ts";
export { edge, node, type EdgeDef, type NodeDef } from "./model/define/element.ts";
export {
  enrichment,
  type AnyAskedEnrichment,
  type AnyEnrichment,
  type AskedEnrichment,
  type EnrichmentCall,
  type EnrichmentDef,
  type EnrichmentOptions,
} from "./model/define/enrichment.ts";
export {
  event,
  sideInput,
  type EventDef,
  type EventOptions,
  type Lookup,
  type SideInputDef,
} from "./model/define/event.ts";
export type {
  ArrayExpr,
  BooleanExpr,
  BytesExpr,
  Condition,
  Contributions,
  DoubleExpr,
  Expr,
  ExprOf,
  Id,
  IntegerExpr,
  Literal,
  Predicate,
  RecordExpr,
  Row,
  SetExpr,
  StringExpr,
  TimeExpr,
  Valued,
} from "./model/define/expression.ts";
export { t } from "./model/define/field.ts";
export type {
  AnyField,
  EventFields,
  Field,
  Fields,
  InputValue,
  Kind,
  Properties,
  PropertyFields,
  SetOptions,
  Value,
} from "./model/define/field.ts";
export { count, when } from "./model/define/functions.ts";
export {
  defineGraph,
  isGraph,
  loadGraph,
  type Graph,
  type GraphOptions,
  type TraversalOptions,
} from "./model/define/graph.ts";
export { job, type JobDef, type JobOptions, type JobStart } from "./model/define/job.ts";
export type { StandardSchema } from "./model/define/standard-schema.ts";
export type { Update, Updates } from "./model/define/update.ts";

export const version = "0.1.0";
