// The pipeline on a worker thread as the main thread sees it: the same ports, each call a message.
import { Worker } from "node:worker_threads";
import { RdgError } from "../core/errors.ts";
import { giveBack } from "../core/give-back.ts";
import { RemoteThread } from "../core/thread-bridge.ts";
import {
  BadRecords,
  type Gateway,
  type MixedRequest,
  type ProduceAnswer,
  type ProduceRequest,
} from "../gateway/port.ts";
import type { LogReader, PartitionBounds, RecordFrame, TopicSettings, UpdateFrame } from "../log/port.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Position } from "../model/position.ts";
import type { UpdateBatch } from "../model/update/batch.ts";
import { decodeUpdateBatch } from "../model/update/codec.ts";
import { ColumnMemory } from "../model/update/column-memory.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import type { PackedFrame, PipelineWorkerData } from "./pipeline-worker.ts";
import type { PipelineParts } from "./pipeline.ts";

/** Starts the worker and opens the pipeline there. `onLost` is called when the thread ends by itself. */
export async function openRemotePipeline(
  data: PipelineWorkerData,
  onLost: (error: RdgError) => void,
): Promise<PipelineParts> {
  const worker = new Worker(new URL("./pipeline-worker.ts", import.meta.url), { workerData: data });
  const remote = new RemoteThread(worker);
  let closing = false;
  let isLost = false;
  const lost = (cause: unknown): void => {
    isLost = true;
    const error = new RdgError("internal", "pipeline_lost", `The pipeline's thread ended: ${String(cause)}`, { cause });
    remote.close(error);
    if (!closing) onLost(error);
  };
  worker.on("error", lost);
  worker.on("exit", (code) => lost(`exit code ${code}`));
  const end = async (): Promise<void> => {
    closing = true;
    await worker.terminate();
  };
  let model: GraphModel;
  try {
    model = await remote.call("worker", "open", []);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    model,
    log: remoteLog(remote),
    registry: remoteObject<SchemaRegistry>(remote, "registry"),
    gateway: remoteGateway(remote),
    control: remoteObject(remote, "control"),
    finish: () => remote.call("worker", "finish", []),
    async close() {
      if (isLost) return;
      try {
        await remote.call("worker", "close", []);
      } finally {
        await end();
      }
    },
  };
}

/** Every method of T is a call; only for objects whose methods all return promises. */
function remoteObject<T extends object>(remote: RemoteThread, target: string): T {
  return new Proxy(Object.create(null) as T, {
    get: (_, method) =>
      typeof method === "string" && method !== "then"
        ? (...args: readonly unknown[]): Promise<unknown> => remote.call(target, method, args)
        : undefined,
  });
}

function remoteLog(remote: RemoteThread): LogReader {
  return {
    topics: () => remote.call<readonly TopicSettings[]>("log", "topics", []),
    bounds: (topic) => remote.call<readonly PartitionBounds[]>("log", "bounds", [topic]),
    settled: (topic) => remote.call("log", "settled", [topic]),
    read: ({ signal, ...options }) => remote.stream<RecordFrame>("log", "read", [options], signal),
    async *readUpdates({ signal, ...options }): AsyncGenerator<UpdateFrame> {
      const memories: ColumnMemory[] = [];
      for await (const frame of remote.stream<PackedFrame>("frames", "readUpdates", [options], signal)) {
        yield new RemoteFrame(frame, memories);
      }
    },
  };
}

/** A frame whose packed bytes are nobody else's. */
class RemoteFrame implements UpdateFrame {
  readonly source: string;
  readonly offset: number;
  readonly job: string;
  readonly timestampMs: number;
  readonly inputs: readonly Position[];
  readonly packed: Uint8Array | undefined;
  readonly sizeBytes: number;
  /** Those that are free; one is kept. */
  readonly #memories: ColumnMemory[];
  #memory: ColumnMemory | undefined;

  constructor({ source, offset, job, timestampMs, inputs, packed, sizeBytes }: PackedFrame, memories: ColumnMemory[]) {
    this.source = source;
    this.offset = offset;
    this.job = job;
    this.timestampMs = timestampMs;
    this.inputs = inputs;
    this.packed = packed;
    this.sizeBytes = sizeBytes;
    this.#memories = memories;
  }

  updates(): UpdateBatch | undefined {
    if (this.packed === undefined) return undefined;
    this.#memory ??= this.#memories.pop() ?? new ColumnMemory();
    return decodeUpdateBatch(this.packed, undefined, this.#memory);
  }

  release(): void {
    if (this.packed !== undefined) giveBack(this.packed);
    if (this.#memory === undefined) return;
    this.#memory.reuse();
    if (this.#memories.length === 0) this.#memories.push(this.#memory);
    this.#memory = undefined;
  }
}

function remoteGateway(remote: RemoteThread): Gateway {
  const call = async (method: string, request: unknown, bodies: readonly Uint8Array<ArrayBuffer>[]) => {
    try {
      const buffers = bodies.map(({ buffer }) => buffer);
      return await remote.call<ProduceAnswer>("gateway", method, [request], buffers);
    } catch (error) {
      throw BadRecords.from(error) ?? error;
    }
  };
  return {
    produce(request: ProduceRequest): Promise<ProduceAnswer> {
      const body = ownBuffer(request.body);
      return call("produce", { ...request, body }, [body]);
    },
    produceMixed(request: MixedRequest): Promise<ProduceAnswer> {
      const parts = request.parts.map((part) => ({ ...part, body: ownBuffer(part.body) }));
      return call(
        "produceMixed",
        { ...request, parts },
        parts.map(({ body }) => body),
      );
    },
    close: () => Promise.resolve(),
  };
}

/** The bytes in a buffer that holds nothing else and can be handed over. */
function ownBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  const alone = buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength;
  return alone ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
