import type { FieldModel, GraphModel, JobSettings, ValueType } from "../../src/model/definition.ts";
// The streaming example as plain data: what the builders are expected to make of the definition in the README.
import type { Emit, Expression } from "../../src/model/plan.ts";

const string: ValueType = { kind: "string" };
const int64: ValueType = { kind: "int64" };
const timestamp: ValueType = { kind: "timestamp" };
const action = { kind: "enum", symbols: ["start", "progress", "stop"] } as const;
const kind = { kind: "enum", symbols: ["film", "episode", "game"] } as const;
const settings: JobSettings = { windowMs: 1000, windowKeysMax: 20_000, windowBytesMax: 16_000_000, parallelism: 1 };

const field = (name: string, type: ValueType, optional = false): FieldModel => ({ name, type, optional });
const event = (name: string, type: ValueType = string): Expression => ({
  kind: "field",
  scope: { kind: "event" },
  path: [name],
  type,
});
const film = (name: string, type: ValueType): Expression => ({
  kind: "field",
  scope: { kind: "side", alias: "film" },
  path: [name],
  type,
});
const literal = (
  value: string | number | boolean,
  type: Extract<Expression, { kind: "literal" }>["type"],
): Expression => ({ kind: "literal", value, type });
const call = (name: Extract<Expression, { kind: "call" }>["function"], type: ValueType, ...args: Expression[]): Expression => ({
  kind: "call", function: name, args, type,
}); // prettier-ignore

const started = call("equals", { kind: "boolean" }, event("action", action), literal("start", action));

const emit: readonly Emit[] = [
  {
    kind: "upsertNode",
    type: "account",
    id: event("accountId"),
    properties: [{ property: "firstCountry", value: event("country") }],
  },
  {
    kind: "upsertNode",
    type: "device",
    id: event("deviceId"),
    properties: [{ property: "countries", value: event("country") }],
  },
  {
    kind: "upsertNode",
    type: "title",
    id: event("titleId"),
    properties: [
      { property: "name", value: film("name", string) },
      { property: "kind", value: film("kind", kind) },
    ],
  },
  { kind: "upsertEdge", type: "has_profile", from: event("accountId"), to: event("profileId"), properties: [] },
  { kind: "upsertEdge", type: "uses", from: event("accountId"), to: event("deviceId"), properties: [] },
  {
    kind: "upsertEdge",
    type: "watched",
    from: event("profileId"),
    to: event("titleId"),
    properties: [
      { property: "positionMs", value: event("positionMs", int64) },
      { property: "furthestMs", value: event("positionMs", int64) },
      { property: "plays", value: call("choose", int64, started, literal("1", { kind: "int64" })) },
    ],
  },
];

const eventSettings = { dedupHorizonMs: 3_600_000, partitions: 1, retention: {} };
const dayMs = 86_400_000;

export const streaming: GraphModel = {
  format: 1,
  name: "streaming",
  events: [
    {
      name: "playback",
      fields: [
        field("accountId", string),
        field("profileId", string),
        field("deviceId", string),
        field("titleId", string, true),
        field("action", action),
        field("positionMs", int64),
        field("country", string, true),
        field("at", timestamp),
      ],
      key: "accountId",
      time: "at",
      ...eventSettings,
    },
    {
      name: "account_closed",
      fields: [field("accountId", string), field("at", timestamp)],
      key: "accountId",
      time: "at",
      ...eventSettings,
    },
  ],
  sideInputs: [
    {
      name: "catalogue",
      fields: [field("titleId", string), field("name", string), field("kind", kind)],
      key: "titleId",
    },
  ],
  nodes: [
    { name: "account", properties: [{ name: "firstCountry", type: string, merge: "first" }] },
    { name: "device", properties: [{ name: "countries", type: string, merge: "union", unionMax: 256 }] },
    {
      name: "title",
      properties: [
        { name: "name", type: string, merge: "last" },
        { name: "kind", type: kind, merge: "last" },
      ],
    },
    { name: "profile", properties: [] },
  ],
  edges: [
    { name: "has_profile", from: "account", to: "profile", properties: [] },
    { name: "uses", from: "account", to: "device", properties: [], ttlMs: 100 * dayMs },
    {
      name: "watched",
      from: "profile",
      to: "title",
      properties: [
        { name: "positionMs", type: int64, merge: "last" },
        { name: "furthestMs", type: int64, merge: "max" },
        { name: "plays", type: int64, merge: "sum" },
      ],
      ttlMs: 100 * dayMs,
    },
  ],
  jobs: [
    {
      event: "playback",
      settings,
      steps: [
        { kind: "where", condition: call("isPresent", { kind: "boolean" }, event("titleId")) },
        { kind: "enrich", alias: "film", input: "catalogue", key: event("titleId") },
      ],
      output: { kind: "emit", emit },
    },
    {
      event: "account_closed",
      settings,
      steps: [],
      output: { kind: "emit", emit: [{ kind: "removeNode", type: "account", id: event("accountId") }] },
    },
  ],
  skewMaxMs: 300_000,
  latenessMs: dayMs,
  tombstoneGraceMs: 7 * dayMs,
};
