// The typed client in a browser: Chromium opens a team's page, whose program asks a running `rdg dev` of another origin.
import { connect } from "rdg/client";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { profile, watched } from "../../../examples/streaming/graph.ts";
import { type StreamingServer, startStreaming } from "../streaming-server.ts";
import { OpenPage } from "./chromium.ts";
import { bundled, type PageServer, servePage } from "./page-server.ts";
import type { Outcome } from "./program.ts";

// A browser starts slowly on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

let allowed: PageServer | undefined;
let foreign: PageServer | undefined;
let server: StreamingServer | undefined;
let open: OpenPage | undefined;

beforeAll(async () => {
  const script = await bundled();
  allowed = await servePage(script);
  foreign = await servePage(script);
  server = await startStreaming(0, ["--serve-cors", `https://app.example.com,${allowed.origin}`]);
  allowed.server = server.url;
  foreign.server = server.url;
});

afterAll(async () => {
  // Also when a test's time was over.
  await open?.close();
  await Promise.all([allowed?.close(), foreign?.close(), server?.stop()]);
});

async function outcomeOf(page: PageServer): Promise<Outcome> {
  open = await OpenPage.open(inject("chromium"), page.origin);
  try {
    return await Promise.race([page.outcome(), open.ended]);
  } finally {
    await open.close();
  }
}

const titles = Array.from({ length: 25 }, (_, i) => `t${String(24 - i).padStart(2, "0")}`);

test("a page of an allowed origin sends events and asks, typed as in Node", async () => {
  const row = (to: string, behindMs: number) => ({ to, bigints: ["bigint", "bigint"], plays: "1", behindMs });
  expect(await outcomeOf(allowed!)).toEqual({
    produce: { accepted: 25, positions: 1 },
    traverse: { complete: false, rows: [row("t24", 24), row("t23", 23)] },
    more: [titles.slice(0, 10), titles.slice(10, 20), titles.slice(20)],
    rows: titles,
    questions: { counts: [{ id: "p1", edge: "watched", direction: "out", count: 25 }], nodes: ["t03"] },
    producer: { accepted: 30 },
    refused: { kind: "invalid", code: "bad_records" },
    aborted: { failed: "Error: left" },
  });
});

test("a page of another origin gets nothing and stores nothing, and the client says that nobody answers", async () => {
  const outcome = await outcomeOf(foreign!);
  const { aborted, ...others } = outcome;
  for (const [name, came] of Object.entries(others)) {
    expect(came, name).toEqual({ kind: "unavailable", code: "no_answer" });
  }
  expect(aborted).toEqual({ failed: "Error: left" });
  const answer = await connect(server!.url).from(profile, "p1").out(watched, { latest: 100 }).run();
  expect(answer.edges(0).map(({ properties }) => properties.plays)).toEqual(titles.map(() => 1n));
});
