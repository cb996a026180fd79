// The gateway: takes a request's body, checks and encodes every record, and appends them per partition; what it answers is durable.
import type { Clock } from "../core/clock.ts";
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";
import type { Log, Producer, RecordBatch } from "../log/port.ts";
import { modelSchemas } from "../model/avro/schemas.ts";
import type { EventSource, GraphModel } from "../model/definition.ts";
import { formatPosition } from "../model/position.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import { type AvroBodyReader, readAvro } from "./avro-body.ts";
import type { Gateway, MixedRequest, ProduceAnswer, ProduceRequest } from "./port.ts";
import { quarantineBatch, quarantineRecord, quarantineRecords, quarantineTopic } from "./quarantine.ts";
import {
  type GatewayPart,
  type GatewayRequest,
  type ReadPart,
  problemsOf,
  refusalOf,
  transcode,
} from "./read-request.ts";
import { type Target, type TargetStatistics, createTargets, topicOf } from "./target.ts";

export interface GatewaySettings {
  /** Of one request. */
  readonly bodyBytesMax: number;
  /** Of one record as it comes, at most 1 MiB. */
  readonly recordBytesMax: number;
  /** Of one request. */
  readonly recordsMax: number;
  /** Bodies that are not answered yet; more are refused with `overloaded`. */
  readonly inFlightBytesMax: number;
  readonly inFlightRequestsMax: number;
  /** What `overloaded` says about when to try again. */
  readonly retryAfterMs: number;
}

const gatewayDefaults: GatewaySettings = {
  bodyBytesMax: 16_000_000,
  recordBytesMax: 1_048_576,
  recordsMax: 100_000,
  inFlightBytesMax: 64_000_000,
  inFlightRequestsMax: 1024,
  retryAfterMs: 100,
};

export interface GatewayOptions {
  readonly model: GraphModel;
  readonly log: Pick<Log, "producer" | "prefix">;
  readonly registry: SchemaRegistry;
  readonly clock: Clock;
  /** Name that it appends under: gateways that run at the same time have different ones, since a later owner of a name ends the earlier. */
  readonly producerName?: string;
  readonly settings?: Partial<GatewaySettings>;
}

/** What the composition has of the gateway beyond its port. */
export interface ControlledGateway extends Gateway {
  /** Until called with undefined, every request is refused with this error (kind `unavailable` or `overloaded`): the store's memory or the disk is full, jobs lag behind. */
  setUnavailable(error: RdgError | undefined): void;
  /** The same for rows of side inputs only. */
  setInputsUnavailable(error: RdgError | undefined): void;
  statistics(): GatewayStatistics;
}

export interface GatewayStatistics {
  readonly inFlightRequests: number;
  readonly inFlightRequestsMax: number;
  readonly inFlightBytes: number;
  readonly inFlightBytesMax: number;
  /** Requests refused because a bound was reached, or while unavailable. */
  readonly refusedRequests: number;
  /** Records that belong to no target, such as CloudEvents of an unknown type: refused with their request, and quarantined. */
  readonly strays: { readonly rejected: number; readonly quarantined: number };
  readonly targets: readonly TargetStatistics[];
}

const idempotencyKeyBytesMax = 256;

/** Registers the schemas of the definition's events and side inputs; their topics must exist. */
export async function createGateway(options: GatewayOptions): Promise<ControlledGateway> {
  const settings = { ...gatewayDefaults, ...options.settings };
  const { model, log, registry } = options;
  const targets = await createTargets(model, modelSchemas(model, log.prefix), registry, settings);
  return new LogGateway(options, settings, targets, await options.log.producer(options.producerName ?? "gateway"));
}

class LogGateway implements ControlledGateway {
  readonly #clock: Clock;
  readonly #skewMaxMs: number;
  readonly #settings: GatewaySettings;
  readonly #targets: ReadonlyMap<string, Target>;
  readonly #producer: Producer;
  /** Events and side inputs that others write, by RDG's topic. */
  readonly #sources: ReadonlyMap<string, EventSource>;
  #unavailable: RdgError | undefined;
  #inputsUnavailable: RdgError | undefined;
  #inFlightBytes = 0;
  #inFlightRequests = 0;
  #refusedRequests = 0;
  readonly #strays = { rejected: 0, quarantined: 0 };
  #closed: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(
    { clock, model }: GatewayOptions,
    settings: GatewaySettings,
    targets: ReadonlyMap<string, Target>,
    producer: Producer,
  ) {
    this.#clock = clock;
    this.#skewMaxMs = model.skewMaxMs;
    this.#settings = settings;
    this.#targets = targets;
    this.#producer = producer;
    this.#sources = new Map([...sourcesOf("event", model.events), ...sourcesOf("input", model.sideInputs)]);
  }

  async produce(request: ProduceRequest): Promise<ProduceAnswer> {
    const { target, format, body, partial, idempotencyKey } = request;
    const parts: readonly GatewayPart[] = [{ target: this.#targetOf(target), format, body: bufferOf(body) }];
    return this.#admitted({ parts, strays: [], partial, idempotencyKey });
  }

  async produceMixed({ parts, strays, partial, idempotencyKey }: MixedRequest): Promise<ProduceAnswer> {
    const known = parts.map(({ target, format, body, indexes }): GatewayPart => ({
      target: this.#targetOf(target),
      format,
      body: bufferOf(body),
      indexes,
    }));
    return this.#admitted({ parts: known, strays, partial, idempotencyKey });
  }

  async #admitted(request: GatewayRequest): Promise<ProduceAnswer> {
    let size = 0;
    for (const { body } of request.parts) size += body.length;
    for (const { bytes } of request.strays) size += bytes.length;
    this.#admit(request, size);
    this.#inFlightRequests += 1;
    this.#inFlightBytes += size;
    try {
      return await this.#take(request);
    } finally {
      this.#inFlightRequests -= 1;
      this.#inFlightBytes -= size;
      if (this.#inFlightRequests === 0) this.#idle?.();
    }
  }

  setUnavailable(error: RdgError | undefined): void {
    this.#unavailable = error;
  }

  setInputsUnavailable(error: RdgError | undefined): void {
    this.#inputsUnavailable = error;
  }

  statistics(): GatewayStatistics {
    return {
      inFlightRequests: this.#inFlightRequests,
      inFlightRequestsMax: this.#settings.inFlightRequestsMax,
      inFlightBytes: this.#inFlightBytes,
      inFlightBytesMax: this.#settings.inFlightBytesMax,
      refusedRequests: this.#refusedRequests,
      strays: { ...this.#strays },
      targets: [...this.#targets.values()].map((target) => target.statistics()),
    };
  }

  /** Takes no more requests, finishes those in flight, then closes its producer. The log and the registry stay open. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#inFlightRequests > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#producer.close();
  }

  #targetOf({ kind, name }: ProduceRequest["target"]): Target {
    const target = this.#targets.get(topicOf(kind, name));
    if (target === undefined) throw this.#unknownTarget({ kind, name });
    return target;
  }

  /** @param size bytes of the whole request */
  #admit({ parts, idempotencyKey }: GatewayRequest, size: number): void {
    const { bodyBytesMax, inFlightBytesMax, inFlightRequestsMax, retryAfterMs } = this.#settings;
    if (this.#closed !== undefined) throw new RdgError("closed", "gateway_closed", "The gateway is closed.");
    if (size > bodyBytesMax) {
      throw new RdgError(
        "invalid",
        "body_too_large",
        `The body has ${size} bytes, at most ${bodyBytesMax} are taken.`,
        {
          hint: "Send the records in several requests.",
        },
      );
    }
    if (idempotencyKey !== undefined) checkIdempotencyKey(idempotencyKey);
    const hasInputs = parts.some(({ target }) => target.kind === "input");
    const refusal = this.#unavailable ?? (hasInputs ? this.#inputsUnavailable : undefined);
    if (refusal !== undefined) {
      this.#refusedRequests += 1;
      throw refusal;
    }
    // A single request is always taken, however the bounds are set.
    const full = this.#inFlightBytes + size > inFlightBytesMax || this.#inFlightRequests >= inFlightRequestsMax;
    if (full && this.#inFlightRequests > 0) {
      this.#refusedRequests += 1;
      throw new RdgError(
        "overloaded",
        "gateway_overloaded",
        "More requests are in flight than the gateway takes at once.",
        {
          hint: "Nothing of this request was stored: send it again a little later, or send fewer at a time.",
          retryAfterMs,
        },
      );
    }
  }

  async #take({ parts, strays, partial, idempotencyKey }: GatewayRequest): Promise<ProduceAnswer> {
    const nowMs = this.#clock.now();
    const readers: (AvroBodyReader | undefined)[] = [];
    for (const { target, format, body } of parts) {
      readers.push(format === "avro" ? await readAvro(target, body) : undefined);
    }
    for (const { target } of parts) await this.#followGrowth(target);
    const read = parts.map((part, i) => transcode(part, nowMs + this.#skewMaxMs, readers[i]));
    const refusal = partial ? undefined : refusalOf(read, strays, this.#strays);
    if (refusal !== undefined) throw refusal;
    const appends = read.flatMap(({ target, batches }) =>
      batches.map(([partition, batch]) => this.#appendPartition(target, partition, batch, idempotencyKey)),
    );
    const bad = [
      ...read.flatMap(({ target, body, findings }) => quarantineRecords(target, body, findings.records, nowMs)),
      ...strays.map(({ problem, bytes }) => quarantineRecord(problem, bytes, nowMs)),
    ];
    if (bad.length > 0) appends.push(this.#quarantine(read, strays.length, quarantineBatch(bad), idempotencyKey));
    const stored = await settled(appends);
    return {
      accepted: stored.reduce((sum, { accepted }) => sum + accepted, 0),
      positions: stored.flatMap(({ position }) => position ?? []),
      duplicate: stored.length > 0 && stored.every(({ duplicate }) => duplicate),
      rejected: problemsOf(read, strays),
      rejectedCount: bad.length,
    };
  }

  /** Between this and the sharing out of records nothing is waited for. */
  async #followGrowth(target: Target): Promise<void> {
    if (target.kind !== "event" || this.#producer.partitions === undefined) return;
    const partitions = this.#producer.partitions(target.topic);
    target.shareAmong(typeof partitions === "number" ? partitions : await partitions);
  }

  async #appendPartition(
    target: Target,
    partition: number,
    batch: RecordBatch,
    key: string | undefined,
  ): Promise<Stored> {
    const { count } = batch;
    const size = batch.values.bytes.length;
    const shared = target.kind === "event" ? { ...batch, sharedAmong: target.partitions } : batch;
    const { first, last, duplicate } = await this.#producer.append(target.topic, partition, withKey(shared, key));
    target.count(partition, count, size, duplicate);
    // Of a request sent again what is stored counts: a record that came too early then may be in time now.
    const accepted = last.offset - first.offset + 1;
    return { accepted, position: formatPosition(last), duplicate };
  }

  async #quarantine(
    read: readonly ReadPart[],
    strays: number,
    batch: RecordBatch,
    key: string | undefined,
  ): Promise<Stored> {
    const { duplicate } = await this.#producer.append(quarantineTopic, 0, withKey(batch, key));
    if (!duplicate) {
      for (const { target, findings } of read) target.quarantined += findings.records.length;
      this.#strays.quarantined += strays;
    }
    return { accepted: 0, position: undefined, duplicate };
  }

  #unknownTarget({ kind, name }: ProduceRequest["target"]): RdgError {
    const what = kind === "event" ? "event" : "side input";
    const source = this.#sources.get(topicOf(kind, name));
    if (source !== undefined) {
      return new RdgError(
        "invalid",
        `${kind}_has_source`,
        `The ${what} "${name}" is read from the topic ${source.topic}.`,
        { hint: "Whoever owns that topic writes to it; RDG does not." },
      );
    }
    const names = [...this.#targets.values()].filter((target) => target.kind === kind).map((target) => target.name);
    return new RdgError("not_found", `unknown_${kind}`, `The definition has no ${what} "${name.slice(0, 100)}".`, {
      hint: didYouMean(name, names),
    });
  }
}

function* sourcesOf(
  kind: "event" | "input",
  declared: readonly { readonly name: string; readonly source?: EventSource }[],
): Iterable<readonly [string, EventSource]> {
  for (const { name, source } of declared) if (source !== undefined) yield [topicOf(kind, name), source];
}

interface Stored {
  readonly accepted: number;
  readonly position: string | undefined;
  readonly duplicate: boolean;
}

/** All of them, or the first failure after all have ended: a request is in flight until nothing of it is. */
async function settled(appends: readonly Promise<Stored>[]): Promise<readonly Stored[]> {
  await Promise.allSettled(appends);
  return Promise.all(appends);
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function withKey(batch: RecordBatch, idempotencyKey: string | undefined): RecordBatch {
  return idempotencyKey === undefined ? batch : { ...batch, idempotencyKey };
}

function checkIdempotencyKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes > 0 && bytes <= idempotencyKeyBytesMax && key.isWellFormed()) return;
  throw new RdgError(
    "invalid",
    "bad_idempotency_key",
    `An idempotency key has 1 to ${idempotencyKeyBytesMax} bytes of text.`,
    {
      hint: "Use a random id per request, and the same one when the request is sent again.",
    },
  );
}
