// What a user may write, and the types that follow from it.
import {
  count,
  defineGraph,
  edge,
  enrichment,
  event,
  job,
  node,
  sideInput,
  t,
  when,
  type ArrayExpr,
  type BooleanExpr,
  type DoubleExpr,
  type Graph,
  type InputValue,
  type IntegerExpr,
  type JobDef,
  type Predicate,
  type Properties,
  type Row,
  type StringExpr,
  type TimeExpr,
  type Update,
  type Value,
} from "rdg";
import {
  account,
  accountClosed,
  catalogue,
  hasProfile,
  playback,
  title,
  type default as streaming,
  type device,
  type fromPlayback,
  type watched,
} from "../../examples/streaming/graph.ts";
import { assertType, type Same } from "./assertions.ts";

assertType<Same<typeof streaming, Graph>>();
assertType<Same<typeof fromPlayback, JobDef>>();
assertType<Same<(typeof playback)["name"], "playback">>();

// Values
type Playback = Value<(typeof playback)["fields"]>;
assertType<Same<Playback["accountId"], string>>();
assertType<Same<Playback["titleId"], string | undefined>>();
assertType<Same<Playback["action"], "start" | "progress" | "stop">>();
assertType<Same<Playback["positionMs"], bigint>>();
assertType<Same<Playback["at"], Date>>();
type PlaybackInput = InputValue<(typeof playback)["fields"]>;
assertType<Same<PlaybackInput["positionMs"], bigint | number>>();
assertType<Same<PlaybackInput["country"], string | null | undefined>>();
const least: PlaybackInput = {
  accountId: "a",
  profileId: "p",
  deviceId: "d",
  action: "stop",
  positionMs: 5,
  at: new Date(0),
};
const minimal: Value<(typeof accountClosed)["fields"]> = { accountId: "a", at: new Date(0) };
assertType<Same<Properties<(typeof watched)["properties"]>["plays"], bigint | undefined>>();
assertType<Same<Properties<(typeof device)["properties"]>["countries"], readonly string[] | undefined>>();
assertType<Same<Properties<(typeof title)["properties"]>["kind"], "film" | "episode" | "game" | undefined>>();

// Every kind of field
const order = event("order", {
  key: "id",
  time: "at",
  id: "requestId",
  dedupHorizon: "30m",
  partitions: 8,
  retention: { time: "7d", bytes: 1e9 },
  fields: {
    id: t.string(),
    requestId: t.string().optional(),
    at: t.timestamp(),
    express: t.boolean().optional(),
    weight: t.double(),
    boxes: t.int32(),
    cents: t.int64(),
    seal: t.bytes(),
    tags: t.array(t.string()).optional(),
    labels: t.map(t.string()),
    address: t.record({ city: t.string(), lines: t.array(t.string()), at: t.timestamp().optional() }),
    lines: t.array(t.record({ sku: t.string(), quantity: t.int32(), parts: t.array(t.string()) })),
  },
});
type OrderRow = Row<(typeof order)["fields"]>;
assertType<Same<OrderRow["id"], StringExpr<string>>>();
assertType<Same<OrderRow["requestId"], StringExpr<string | undefined>>>();
assertType<Same<OrderRow["express"], BooleanExpr<boolean | undefined>>>();
assertType<Same<OrderRow["boxes"], IntegerExpr<number>>>();
assertType<Same<OrderRow["cents"], IntegerExpr<bigint>>>();
assertType<Same<OrderRow["weight"], DoubleExpr<number>>>();
assertType<Same<OrderRow["at"], TimeExpr<Date>>>();
assertType<Same<OrderRow["address"]["city"], StringExpr<string>>>();
assertType<Same<OrderRow["address"]["at"], TimeExpr<Date | undefined>>>();
type Order = Value<(typeof order)["fields"]>;
assertType<Same<Order["lines"][number]["quantity"], number>>();
assertType<Same<Order["labels"], Readonly<Record<string, string>>>>();

const sku = node("sku", {
  sold: t.counter(),
  heaviest: t.double().merge("max"),
  first: t.timestamp().merge("first"),
  places: t.set(t.string(), { sizeMax: 16 }),
  days: t.timestamp().merge("union"),
  opened: t.boolean(),
  labels: t.map(t.string()),
  address: t.record({ city: t.string(), lines: t.array(t.string()), at: t.timestamp().optional() }),
  total: t.int64().merge("sum"),
  size: t.int32(),
});
const customer = node("customer");
const bought = edge("bought", customer, sku, { ttl: "30d", properties: { quantity: t.int32() } });
const stock = sideInput("stock", { key: "sku", fields: { sku: t.string(), shelf: t.string(), warehouse: t.string() } });
const warehouses = sideInput("warehouses", { key: "name", fields: { name: t.string(), city: t.string() } });

const orders = job(order, { window: "500ms", windowKeys: 10_000, windowBytes: 1_000_000, parallelism: 2 })
  .where((e) => e.express.and(e.weight.gt(1), e.cents.gte(5).or(e.cents.lt(10n)).not()))
  .enrich({
    stock: stock.by((e) => {
      assertType<Same<typeof e, OrderRow>>();
      return e.id.concat(":", e.address.city);
    }),
  })
  .where((_e, { stock }) => stock.shelf.isPresent())
  .enrich({ warehouse: warehouses.by((_e, { stock }) => stock.warehouse) })
  .emit((e, { stock, warehouse }) => {
    assertType<Same<typeof stock.shelf, StringExpr<string | undefined>>>();
    assertType<Same<typeof warehouse.city, StringExpr<string | undefined>>>();
    assertType<Same<ReturnType<typeof e.id.equals>, Predicate>>();
    const parts = e.id.split("-");
    assertType<Same<typeof parts extends ArrayExpr<readonly string[] | undefined, infer _> ? true : false, true>>();
    return [
      customer.upsert(e.id.lower().substring(0, 8).hash()),
      customer.upsert("everybody"),
      when(e.express, [customer.remove(e.requestId), [customer.upsert(e.id)]]),
      e.lines.each((line) => [
        sku.upsert(line.sku, {
          sold: count(line.quantity),
          total: line.quantity,
          size: line.quantity,
          heaviest: e.weight.divide(line.quantity),
          first: e.at.truncate("day"),
          days: e.at,
          places: stock.shelf,
          opened: e.express,
          labels: e.labels,
          address: e.address,
        }),
        sku.upsert(line.sku, { sold: 3, total: 5n, size: 2, heaviest: 1.5, opened: true, places: null }),
        bought.upsert(e.id, line.sku, { quantity: when(e.express, line.quantity, 0) }),
        line.parts.each((part) => [sku.upsert(part.concat("/", line.sku))]),
      ]),
      sku.upsert("x", { places: e.tags, heaviest: when(e.boxes.gt(1), e.weight), total: e.cents.div(100).orElse(0) }),
      sku.upsert(when(e.express, e.id, "standard"), { first: e.at.plus(60_000), total: e.at.toMillis() }),
      sku.upsert(e.address.city.mapEnum({ Delft: "d", Utrecht: "u" }), {
        opened: e.weight.floor().toInt64().equals(3),
      }),
    ];
  });

// Ordinary functions give updates with plain values.
const closed = job(accountClosed).map((e) => {
  assertType<Same<typeof e, Value<(typeof accountClosed)["fields"]>>>();
  return [account.upsert(e.accountId, { firstCountry: "NL" }), hasProfile.remove(e.accountId, "p")];
});
job(accountClosed).map(function* (e): Generator<Update> {
  if (e.at.getTime() > 0) yield account.remove(e.accountId);
});
job(playback)
  .enrich({ film: catalogue.by((e) => e.titleId) })
  .emit((e, { film }) => [title.upsert(e.titleId, { name: film.name, kind: film.kind })]);

// What an enrichment loads is typed by its fields.
const prices = enrichment("prices", {
  on: title,
  fields: { amount: t.int64(), currency: t.string().optional() },
  load: async (ids, { signal }) => {
    assertType<Same<typeof ids, readonly string[]>>();
    assertType<Same<typeof signal, AbortSignal>>();
    return new Map(ids.map((id) => [id, { amount: 5, currency: null }]));
  },
  timeout: "100ms",
});
assertType<Same<(typeof prices)["name"], "prices">>();

assertType<Same<typeof orders, JobDef>>();
assertType<Same<typeof closed, JobDef>>();
defineGraph("shop", {
  jobs: [orders, closed],
  nodes: [account],
  edges: [hasProfile],
  skewMax: "1m",
  lateness: "2h",
  tombstoneGrace: "30d",
  enrichments: [prices],
});
void [least, minimal];
