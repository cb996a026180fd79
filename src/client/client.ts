import { formatBase64 } from "../model/avro/json-values.ts";
// `connect`: events in and questions out, typed by the declarations that the graph is defined with.
import type { AnyNode } from "../model/define/declaration.ts";
import type { NodeDef } from "../model/define/element.ts";
import type { EventDef } from "../model/define/event.ts";
import type { EventFields, InputValue, PropertyFields } from "../model/define/field.ts";
import type { TraverseAnswer } from "../model/traversal.ts";
import { type Fetch, HttpConnection } from "./http.ts";
import { type Ask, type Steps, TraversalSteps } from "./steps.ts";

export interface ConnectOptions {
  /** Instead of the global one. */
  readonly fetch?: Fetch;
}

export interface Produced {
  readonly accepted: number;
  /** The last position per partition: pass them as `waitFor` to read your own writes. */
  readonly positions: readonly string[];
}

export interface Client {
  /** Resolves when the events are durable. @throws RdgError invalid when one is not valid: then none is stored */
  produce<N extends string, F extends EventFields>(
    event: EventDef<N, F>,
    ...values: readonly [InputValue<F>, ...InputValue<F>[]]
  ): Promise<Produced>;
  /** Starts a traversal at these nodes. */
  from<N extends string, F extends PropertyFields>(
    node: NodeDef<N, F>,
    ...ids: readonly [string, ...string[]]
  ): Steps<NodeDef<N, F>, []>;
}

/**
 * A client of the RDG at this address.
 *
 *     const rdg = connect("http://127.0.0.1:7400");
 *     const { positions } = await rdg.produce(playback, { accountId: "a1", ... });
 *     const answer = await rdg.from(account, "a1").out(hasProfile).out(watched, { latest: 50 }).run({ waitFor: positions });
 *     for (const { to, lastSeen } of answer.edges(1)) console.log(to.properties.name, lastSeen);
 */
export function connect(url: string, options: ConnectOptions = {}): Client {
  const connection = new HttpConnection(url, options.fetch ?? ((address, init) => fetch(address, init)));
  const ask: Ask = async (request, signal) =>
    (await connection.post("/v1/traverse", "application/json", JSON.stringify(request), signal)) as TraverseAnswer;
  const client = {
    async produce(event: { readonly name: string }, ...values: readonly unknown[]): Promise<Produced> {
      const lines = values.map((value) => `${JSON.stringify(value, jsonValue)}\n`).join("");
      const path = `/v1/events/${encodeURIComponent(event.name)}`;
      const answer = (await connection.post(path, "application/x-ndjson", lines, undefined)) as Produced;
      return { accepted: answer.accepted, positions: answer.positions };
    },
    from: (node: AnyNode, ...ids: readonly string[]) => new TraversalSteps(ask, ids, { start: node, hops: [] }, []),
  };
  return client as unknown as Client;
}

/** int64 as decimal text and bytes as base64, as events have them in JSON; Dates are ISO 8601 by themselves. */
function jsonValue(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? formatBase64(value) : value;
}
