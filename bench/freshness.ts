// How soon an acknowledged event is visible: single events beside a load, each asked for from the moment of its answer until a traversal has seen it.
import { accountId } from "../examples/streaming/playback-event.ts";

export interface FreshnessOptions {
  /** Where events go, and where they are asked for. */
  readonly gateway: URL;
  readonly serve: URL;
  /** Bodies of one event each, sent in turn. */
  readonly events: readonly Uint8Array[];
  readonly pauseMs: number;
  readonly running: () => boolean;
}

/** Milliseconds, of each event. */
export async function freshness({ gateway, serve, events, pauseMs, running }: FreshnessOptions): Promise<number[]> {
  const milliseconds: number[] = [];
  for (let i = 0; running(); i++) {
    const headers = { "content-type": "application/x-ndjson" };
    const body = new Uint8Array(events[i % events.length]!);
    const produced = await fetch(new URL("/v1/events/playback", gateway), { method: "POST", headers, body });
    const { positions } = (await produced.json()) as { positions: string[] };
    const startedMs = performance.now();
    await seen(serve, positions);
    milliseconds.push(performance.now() - startedMs);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return milliseconds;
}

async function seen(serve: URL, waitFor: readonly string[]): Promise<void> {
  const question = { from: { type: "account", ids: [accountId(1)] }, hops: [], waitFor, timeoutMs: 5000 };
  const response = await fetch(new URL("/v1/traverse", serve), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(question),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
}
