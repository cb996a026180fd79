// Clients of a crash test: they send requests of every kind, each until it is acknowledged, whatever happens to the server meanwhile, and keep the truth.
import { randomId, type Random } from "../../src/core/random.ts";
import { type Ended, pageIds, randomView, type View } from "./views.ts";

/** Everything that was acknowledged. */
export class Truth {
  /** Each once, although some were sent twice. */
  readonly views: View[] = [];
  readonly ended: Ended[] = [];
  /** What the job of views must have counted. */
  readonly counts = { received: 0, expired: 0, filtered: 0, deduplicated: 0, quarantined: 0, mapped: 0 };
  /** Records that the gateway put aside. */
  gatewayQuarantined = 0;
}

/** A session is of one phase only: so it never comes back after the clock was set forward and it has expired. */
export interface Phase {
  readonly number: number;
  /** The wall clock of the server. */
  nowMs(): number;
}

interface Request {
  readonly path: string;
  readonly lines: readonly unknown[];
  accepted(): void;
}

const clients = 3;
const pauseMs = 20;
/** A node's id may not be that long: a job cannot map the event. */
const tooLongId = "p".repeat(1100);

export class Producers {
  readonly truth = new Truth();
  /** Of the server; undefined while it is down. */
  url: string | undefined;
  readonly #random: Random;
  readonly #lanes: Promise<void>[];
  #lastNumber = 0;
  #recent: View[] = [];
  #phase: Phase;
  #pending = 0;
  #isSending = false;
  #stopped = false;
  #wakers: (() => void)[] = [];
  #failure: Error | undefined;

  constructor(random: Random, phase: Phase) {
    this.#random = random;
    this.#phase = phase;
    this.#lanes = Array.from({ length: clients }, () =>
      this.#sendForEver().catch((error: Error) => void (this.#failure = error)),
    );
  }

  /** Call it while nothing is pending. Nothing from before is sent again: its times may lie in the future now. */
  enter(phase: Phase): void {
    this.#phase = phase;
    this.#recent = [];
  }

  send(): void {
    this.#isSending = true;
    for (const wake of this.#wakers.splice(0)) wake();
  }

  /** Begins nothing new; resolves when everything that was sent is acknowledged, or when `gone` says that the server is. */
  async pause(gone: () => boolean): Promise<void> {
    this.#isSending = false;
    while (this.#pending > 0 && !gone()) {
      if (this.#failure !== undefined) throw this.#failure;
      await sleep(2);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.send();
    await Promise.all(this.#lanes);
  }

  /** Rows of the side input, and rows that nobody asks for, so that there is something to compact. Without a key: writing them again changes nothing. */
  async uploadPages(gone: () => boolean): Promise<void> {
    const rows = [
      ...pageIds.map((pageId) => ({ pageId, title: `Page ${pageId}` })),
      ...Array.from({ length: 20 }, () => ({ pageId: `x${this.#random.below(60)}`, title: "x".repeat(60) })),
    ];
    await this.#post("/v1/inputs/pages", rows, undefined, gone);
  }

  async #sendForEver(): Promise<void> {
    while (!this.#stopped) {
      if (!this.#isSending) {
        await new Promise<void>((resolve) => this.#wakers.push(resolve));
        continue;
      }
      const request = this.#next();
      this.#pending++;
      await this.#post(request.path, request.lines, randomId());
      request.accepted();
      this.#pending--;
      // Leaves the processor to the server: many small kills prove more than few under full load.
      await sleep(this.#random.below(pauseMs));
    }
  }

  async #post(
    path: string,
    lines: readonly unknown[],
    key: string | undefined,
    gone: () => boolean = () => false,
  ): Promise<void> {
    const body = lines.map((line) => JSON.stringify(line)).join("\n");
    const headers = {
      "content-type": "application/x-ndjson",
      ...(key === undefined ? {} : { "idempotency-key": key }),
    };
    while (!this.#stopped && !gone()) {
      const response =
        this.url && (await fetch(this.url + path, { method: "POST", headers, body }).catch(() => undefined));
      const text = response && (await response.text().catch(() => undefined));
      if (text !== undefined && response) {
        if (response.status === 202) return;
        if (response.status !== 429 && response.status !== 503) throw new Error(`${path}: ${response.status} ${text}`);
      }
      await sleep(5);
    }
  }

  #next(): Request {
    const random = this.#random;
    if (random.below(8) === 0) return this.#endOfSession();
    const views = Array.from({ length: 1 + random.below(30) }, () => this.#view());
    const bots = random.below(4) === 0 ? [{ ...this.#view(), bot: "yes" }] : [];
    const unmappable = random.below(10) === 0 ? [{ ...this.#view(), pageId: tooLongId }] : [];
    // Some come twice in one request, some come again in a later one.
    const again = [...views.slice(0, random.below(3)), ...this.#recent.slice(0, random.below(3))];
    const malformed = random.below(10) === 0 ? [{ viewId: 7 }] : [];
    return {
      path: malformed.length > 0 ? "/v1/events/view?partial=true" : "/v1/events/view",
      lines: [...views, ...bots, ...unmappable, ...again, ...malformed],
      accepted: () => {
        const { truth } = this;
        truth.views.push(...views);
        truth.counts.received += views.length + bots.length + unmappable.length + again.length;
        truth.counts.filtered += bots.length;
        truth.counts.quarantined += unmappable.length;
        truth.counts.deduplicated += again.length;
        truth.counts.mapped += views.length;
        truth.gatewayQuarantined += malformed.length;
        this.#recent = views;
      },
    };
  }

  #view(): View {
    const random = this.#random;
    const view = randomView(++this.#lastNumber, this.#phase.nowMs() - 2000, random);
    return random.below(3) === 0 ? view : { ...view, sessionId: this.#session() };
  }

  #endOfSession(): Request {
    const ended = { sessionId: this.#session(), at: this.#phase.nowMs() - this.#random.below(2000) };
    return { path: "/v1/events/ended", lines: [ended], accepted: () => void this.truth.ended.push(ended) };
  }

  #session(): string {
    return `s${this.#phase.number}-${this.#random.below(8)}`;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
