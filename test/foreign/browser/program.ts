// What runs in the browser: a team's page that imports the definition and `rdg/client`, sends events and asks. It tells the page's server how each step went.
import { connect, RdgError } from "rdg/client";
import { account, hasProfile, playback, profile, title, watched } from "../../../examples/streaming/graph.ts";

/** Name of each step, and what came of it: compared in the test, where it can be read. */
export type Outcome = Readonly<Record<string, unknown>>;

const url = await (await fetch("/server")).text();
const rdg = connect(url, { timeoutMs: 20_000, retries: 1 });
const at = new Date(Date.now() - 60_000);
const event = { accountId: "a1", profileId: "p1", deviceId: "tv", action: "start", positionMs: 0, at } as const;
const titles = Array.from({ length: 25 }, (_, i) => `t${String(i).padStart(2, "0")}`);

const steps: Readonly<Record<string, () => Promise<unknown>>> = {
  produce: async () => {
    const values = titles.map((titleId, i) => ({ ...event, titleId, positionMs: i, at: new Date(at.getTime() + i) }));
    const produced = await rdg.produce(playback, values);
    // All later steps see them.
    await rdg.from(account, "a1").run({ waitFor: produced.positions, timeoutMs: 10_000 });
    return { accepted: produced.accepted, positions: produced.positions.length };
  },
  traverse: async () => {
    const answer = await rdg.from(account, "a1").out(hasProfile).out(watched, { latest: 2 }).run();
    return {
      complete: answer.complete,
      rows: answer.edges(1).map(({ to, properties: { plays, positionMs }, lastSeen }) => ({
        to: to.id,
        bigints: [typeof plays, typeof positionMs],
        plays: String(plays),
        behindMs: lastSeen.getTime() - at.getTime(),
      })),
    };
  },
  more: async () => {
    let answer = await rdg.from(profile, "p1").out(watched, { latest: 10 }).run();
    const pages: string[][] = [];
    for (;;) {
      pages.push(answer.edges(0).map(({ to }) => to.id));
      if (answer.complete) return pages;
      answer = await answer.more();
    }
  },
  rows: async () => {
    const ids: string[] = [];
    const all = rdg.from(profile, "p1").out(watched, { latest: 10 });
    for await (const { to } of all.rows(0, { stream: true })) ids.push(to.id);
    return ids;
  },
  questions: async () => {
    const { counts } = await rdg.count(profile, ["p1"], [watched]);
    const { nodes } = await rdg.nodes(title, ["t03", "none"]);
    return { counts, nodes: nodes.map(({ id }) => id) };
  },
  producer: async () => {
    await using producer = rdg.producer(playback, { batch: 7, lingerMs: 1, deliveryTimeoutMs: 3_000 });
    return await producer.sendAll(Array.from({ length: 30 }, (_, i) => ({ ...event, accountId: `b${i}` })));
  },
  refused: () => rdg.produce(playback, { ...event, accountId: "" }),
  aborted: () => rdg.from(account, "a1").run({ signal: AbortSignal.abort(new Error("left")) }),
};

const outcome: Record<string, unknown> = {};
for (const [name, step] of Object.entries(steps)) {
  try {
    outcome[name] = await step();
  } catch (error) {
    outcome[name] = error instanceof RdgError ? { code: error.code, kind: error.kind } : { failed: String(error) };
  }
}
await fetch("/outcome", { method: "POST", body: JSON.stringify(outcome) });
