// `connect`: events in and questions out, typed by the declarations that the graph is defined with.
import { RdgError } from "../core/errors.ts";
import { randomId } from "../core/random.ts";
import type { AnyEvent, AnyNode, AnySideInput } from "../model/define/declaration.ts";
import type { NodeDef } from "../model/define/element.ts";
import type { EventDef, SideInputDef } from "../model/define/event.ts";
import type { EventFields, InputValue, PropertyFields } from "../model/define/field.ts";
import type { TraverseAnswer } from "../model/traversal.ts";
import { Addresses, type ProbedTransport } from "./addresses.ts";
import { questionsOver } from "./ask-questions.ts";
import { type CallPorts, call, systemPorts } from "./calls.ts";
import { eventJson, targetOf } from "./event-json.ts";
import { type Fetch, HttpTransport, type Token } from "./http.ts";
import { partsOf, partsOfAnswer } from "./parts.ts";
import type { ProducerOptions } from "./producer-options.ts";
import { BatchingProducer, type EventProducer } from "./producer.ts";
import type { Questions } from "./questions.ts";
import type { Steps } from "./steps.ts";
import { type TextAnswer, type TextOptions, askAsText } from "./text-query.ts";
import type { Produced, Question, Transport } from "./transport.ts";
import { type Asking, TraversalSteps } from "./traversal.ts";

export interface ConnectOptions {
  /** An API key or JWT, sent as a bearer token; a function is asked before every request. */
  readonly token?: Token;
  /** Beside the client's own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For a whole call, with everything that is tried again; default 60 s. */
  readonly timeoutMs?: number;
  /** How often what failed for now (`retryable`) is tried again; default 4. With 0, `produce` sends no idempotency key. */
  readonly retries?: number;
  /** Instead of the global one. */
  readonly fetch?: Fetch;
  /** Where events and rows go, when that is elsewhere than where questions are answered: the gateways of a cluster. */
  readonly gateways?: Addressed;
  /** With several addresses: no answer is of an earlier moment than one before it; default true. Such questions pass by caches. */
  readonly monotonic?: boolean;
  /** With several addresses: how long one may take before another one is asked; default 15 s. */
  readonly answerMs?: number;
}

/** One address, or several of one graph: any of them answers. */
export type Addressed = string | readonly [string, ...string[]];

export interface ProduceOptions {
  readonly signal?: AbortSignal;
  /** Of your own: repeated with it, also by another process within an hour, the events are stored once. */
  readonly idempotencyKey?: string;
}

export interface Client extends Questions {
  /**
   * Resolves when the events, or rows of a side input, are durable: all of them, or none. For many over time see `producer`.
   * @throws RdgError invalid, `bad_records`
   */
  produce<N extends string, F extends EventFields>(
    event: EventDef<N, F> | SideInputDef<N, F>,
    ...values: readonly [InputValue<F>, ...InputValue<F>[]]
  ): Promise<Produced>;
  produce<N extends string, F extends EventFields>(
    event: EventDef<N, F> | SideInputDef<N, F>,
    values: readonly InputValue<F>[],
    options?: ProduceOptions,
  ): Promise<Produced>;
  /** Deletes rows of a side input by key. Resolves when that is durable; a key that does not exist is fine. */
  deleteRows(input: AnySideInput, keys: readonly string[], options?: ProduceOptions): Promise<Produced>;
  /** Sends events, or rows of a side input, one by one, stores them in batches. Close it in the end. */
  producer<N extends string, F extends EventFields>(
    event: EventDef<N, F> | SideInputDef<N, F>,
    options?: ProducerOptions,
  ): EventProducer<InputValue<F>>;
  /**
   * Asks in text, for what people write: "(account {id: 'a1'})-[:has_profile]->(profile)". Programs had better build it: `from`.
   * @throws RdgError invalid, with the place in the text
   */
  query(text: string, options?: TextOptions): Promise<TextAnswer>;
  /** Gives connections back, where the transport keeps any: gRPC. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** Starts a traversal at these nodes, at most 1,000. `select`: which of their properties are answered; all when missing. */
  from<N extends string, F extends PropertyFields>(
    node: NodeDef<N, F>,
    ids: readonly string[],
    options?: { readonly select?: readonly (keyof F)[] },
  ): Steps<NodeDef<N, F>, []>;
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
 *
 * Of several addresses any one answers: `connect(["http://serve-1:7400", "http://serve-2:7400"], { gateways: "http://gateway:7400" })`.
 */
export function connect(url: Addressed, options: ConnectOptions = {}): Client {
  const open = (each: string): ProbedTransport => openHttp(each, options);
  return clientOver(transportTo(url, options, open, systemPorts), options, systemPorts);
}

export function openHttp(url: string, options: ConnectOptions): ProbedTransport {
  if (/^grpcs?:/.test(url)) {
    throw new RdgError("invalid", "grpc_elsewhere", "This entry point speaks HTTP, as browsers do.", {
      place: url,
      hint: 'In Node: import { connect } from "rdg/client/grpc".',
    });
  }
  const { token, headers } = options;
  const fetch: Fetch = options.fetch ?? ((address, init) => globalThis.fetch(address, init));
  return new HttpTransport({ url, fetch, token, headers });
}

/** One transport for all addresses that questions and events go to. @throws RdgError invalid, `no_address` */
export function transportTo(
  url: Addressed,
  { gateways, monotonic = true, answerMs = 15_000 }: ConnectOptions,
  open: (url: string) => ProbedTransport,
  ports: CallPorts,
): Transport {
  const over = (addresses: Addressed): Transport => {
    if (typeof addresses === "string") return open(addresses);
    if (addresses.length === 0) {
      throw new RdgError("invalid", "no_address", "There is no address.", { hint: "Name one at least." });
    }
    if (addresses.length === 1) return open(addresses[0]);
    return new Addresses(addresses.map(open), { monotonic, answerMs }, ports);
  };
  const [questions, events] = [over(url), gateways === undefined ? undefined : over(gateways)];
  if (events === undefined) return questions;
  return {
    ask: (question, request, signal) => questions.ask(question, request, signal),
    parts: (request, signal) => questions.parts(request, signal),
    produce: (call, signal) => events.produce(call, signal),
    close() {
      questions.close();
      events.close();
    },
  };
}

/** A client over any transport. */
export function clientOver(transport: Transport, options: ConnectOptions, ports: CallPorts): Client {
  const { timeoutMs = 60_000, retries = 4 } = options;
  const ask = (question: Question, request: object, signal: AbortSignal | undefined): Promise<unknown> =>
    call((ended) => transport.ask(question, request, ended), { timeoutMs, retries, signal }, ports);
  const asking: Asking = {
    ask: (request, signal) => ask("traverse", request, signal) as Promise<TraverseAnswer>,
    parts: (signal) => (request) => partsOf(transport, request, { timeoutMs, retries, signal }, ports),
    async *whole(request, signal) {
      yield* partsOfAnswer(await asking.ask(request, signal));
    },
  };
  const produce = (
    event: AnyEvent | AnySideInput,
    values: readonly unknown[],
    own: ProduceOptions,
  ): Promise<Produced> => {
    const idempotencyKey = own.idempotencyKey ?? (retries > 0 ? randomId(ports.random) : undefined);
    const request = { target: targetOf(event), lines: values.map(eventJson), idempotencyKey };
    const bounds = { timeoutMs, retries: idempotencyKey === undefined ? 0 : retries, signal: own.signal };
    return call((ended) => transport.produce(request, ended), bounds, ports);
  };
  const close = async (): Promise<void> => transport.close();
  const client = {
    ...questionsOver(ask),
    query: (text: string, own: TextOptions = {}) => askAsText(ask, text, own),
    close,
    [Symbol.asyncDispose]: close,
    produce(event: AnyEvent | AnySideInput, first: unknown, ...more: readonly unknown[]): Promise<Produced> {
      if (!Array.isArray(first)) return produce(event, [first, ...more], {});
      return produce(event, first, (more[0] as ProduceOptions | undefined) ?? {});
    },
    deleteRows: (input: AnySideInput, keys: readonly string[], own: ProduceOptions = {}): Promise<Produced> =>
      produce(
        input,
        keys.map((key) => ({ $delete: key })),
        own,
      ),
    producer: (event: AnyEvent | AnySideInput, own: ProducerOptions = {}) =>
      new BatchingProducer(event, own, transport, ports),
    from(node: AnyNode, ids: string | readonly string[], ...more: readonly unknown[]): TraversalSteps {
      const { select } = (typeof ids === "string" ? {} : (more[0] ?? {})) as { readonly select?: readonly string[] };
      const start = { ids: typeof ids === "string" ? [ids, ...(more as string[])] : ids, ...(select && { select }) };
      return new TraversalSteps(asking, { start, shape: { start: node, hops: [], enrichments: [] }, hops: [] });
    },
  };
  return client as unknown as Client;
}
