// Bodies of requests as bytes. What the headers tell is refused before the body is read; the rest is held to its bounds while it comes.
//
// A body is copied into one buffer as it comes: pieces as small as one byte, which a sender may choose, would cost a hundred times their size when kept.
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RdgError } from "../core/errors.ts";
import { giveBack } from "../core/give-back.ts";
import type { ByteBudget, Holding } from "./byte-budget.ts";
import { whenOver } from "./when-over.ts";

const firstBytes = 16 * 1024;
/** Bodies up to this size get a buffer as large as announced; the buffers of larger ones grow with what comes. */
const announcedBytesTrusted = 256 * 1024;
/** Every piece costs some time, however small it is: beyond the first so many, pieces have so many bytes on average. */
const piecesFree = 10_000;
const pieceBytesMin = 32;
/** So much of a refused body is read and dropped, so that its sender sees the answer; beyond it the connection is closed. */
const droppedBytesMax = 64_000_000;

/** Where a request keeps its body: a map beside them costs much of what a small request costs. */
const incoming = Symbol("incoming");

interface WithBody {
  [incoming]: IncomingBody | undefined;
}

/** All routes of a scope take bodies of these types, as a `Buffer` each. */
export function takeBodies(app: FastifyInstance, types: readonly string[], bytesMax: number, budget: ByteBudget): void {
  app.removeAllContentTypeParsers();
  if (!app.hasRequestDecorator(incoming)) app.decorateRequest(incoming, undefined);
  app.addHook("onRequest", (request, reply, done) => {
    const declared = declaredBytes(request);
    whenOver(reply.raw, () => bodyOf(request)?.release());
    try {
      checkEncoding(request);
      if (declared > bytesMax) throw tooLarge(bytesMax);
      budget.expect(declared);
    } catch (error) {
      if (declared > droppedBytesMax) reply.header("connection", "close");
      return done(error as Error);
    }
    done();
  });
  app.addContentTypeParser([...types], (request: FastifyRequest, payload: IncomingMessage, done) => {
    (request as unknown as WithBody)[incoming] = new IncomingBody(request, payload, bytesMax, budget, done);
  });
}

function bodyOf(request: FastifyRequest): IncomingBody | undefined {
  return (request as unknown as WithBody)[incoming];
}

/** After a refused body fastify closes the connection; where little is still to come it is better dropped, for the sender to see the answer. */
export function keepOpenAfterRefusal(request: FastifyRequest, reply: FastifyReply): void {
  if (declaredBytes(request) > droppedBytesMax) return;
  reply.removeHeader("connection");
  // Node would drop it, too, but leave its memory to the garbage collector.
  if (request.raw.readableFlowing === null) request.raw.on("data", giveBack);
}

/** 0 where the headers do not tell. */
export function declaredBytes({ headers }: Pick<FastifyRequest, "headers">): number {
  return Number(headers["content-length"] ?? 0);
}

function checkEncoding(request: FastifyRequest): void {
  const encoding = request.headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") return;
  throw new RdgError("invalid", "unsupported_media_type", "Bodies with a Content-Encoding are not understood here.", {
    place: "Content-Encoding",
    hint: "Send the body as it is, not compressed.",
  });
}

function tooLarge(bytesMax: number): RdgError {
  return new RdgError("invalid", "body_too_large", `The body has more than ${bytesMax} bytes.`, {
    hint: "Send less per request.",
  });
}

class IncomingBody {
  readonly #payload: IncomingMessage;
  readonly #bytesMax: number;
  readonly #declared: number;
  readonly #holding: Holding;
  readonly #done: (error: Error | null, body?: Buffer) => void;
  #buffer: Buffer<ArrayBuffer>;
  #length = 0;
  #pieces = 0;
  #ended = false;

  constructor(
    request: FastifyRequest,
    payload: IncomingMessage,
    bytesMax: number,
    budget: ByteBudget,
    done: (error: Error | null, body?: Buffer) => void,
  ) {
    this.#payload = payload;
    this.#bytesMax = bytesMax;
    this.#declared = declaredBytes(request);
    this.#done = done;
    this.#holding = budget.hold(() => this.#end(tooSlow()));
    this.#buffer = Buffer.allocUnsafeSlow(this.#declared > announcedBytesTrusted ? firstBytes : this.#declared);
    // After its end a body closes, too: the error is made only where it is one.
    const cut = (): void => {
      if (!this.#ended) this.#end(cutOff());
    };
    payload
      .on("data", (chunk: Buffer) => this.#take(chunk))
      .on("end", () => this.#end())
      .on("error", cut)
      .on("close", cut);
  }

  #take(chunk: Buffer): void {
    if (this.#ended) return giveBack(chunk);
    const length = this.#length + chunk.length;
    try {
      if (length > this.#bytesMax) throw tooLarge(this.#bytesMax);
      if (++this.#pieces > piecesFree && length < this.#pieces * pieceBytesMin) throw inCrumbs();
      this.#holding.add(chunk.length);
    } catch (error) {
      return this.#end(error as Error);
    }
    if (length > this.#buffer.length) this.#grow(length);
    chunk.copy(this.#buffer, this.#length);
    giveBack(chunk);
    this.#length = length;
  }

  #grow(needed: number): void {
    const most = this.#declared > 0 ? this.#declared : this.#bytesMax;
    const larger = Buffer.allocUnsafeSlow(
      Math.max(needed, Math.min(most, Math.max(firstBytes, this.#buffer.length * 2))),
    );
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  #end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error === undefined) {
      // It is held until the request is answered, or given up.
      this.#holding.settle();
      return this.#done(null, this.#buffer.subarray(0, this.#length));
    }
    this.#buffer = Buffer.alloc(0);
    this.#holding.release();
    // What still comes is dropped.
    this.#payload.resume();
    this.#done(error);
  }

  release(): void {
    this.#holding.release();
  }
}

function cutOff(): RdgError {
  return new RdgError("invalid", "bad_body", "The body ended before the length that its headers say.");
}

function inCrumbs(): RdgError {
  return new RdgError("invalid", "bad_body", `The body comes in pieces of less than ${pieceBytesMin} bytes.`, {
    hint: "Collect the body before sending it, or send larger chunks.",
  });
}

function tooSlow(): RdgError {
  return new RdgError("invalid", "request_timeout", "The body came too slowly while others waited for room.", {
    hint: "Send the request again.",
  });
}
