// The graph of a running RDG as plain maps, asked over HTTP, and when it accounts for everything that was acknowledged.
import { pageIds, userIds } from "./views.ts";

export interface CrashStatus {
  readonly topics: readonly { readonly name: string; readonly partitions: readonly { readonly next: number }[] }[];
  readonly jobs: readonly {
    readonly event: string;
    readonly state: string;
    readonly cause?: string;
    readonly counters: Readonly<Record<string, readonly number[]>>;
  }[];
  readonly store: { readonly inputs: readonly string[] };
  readonly refusing?: string;
}

interface Answer {
  readonly complete: boolean;
  readonly levels: readonly {
    readonly nodes: readonly { id: string; firstSeen?: string; lastSeen?: string; properties: Properties }[];
    readonly edges?: readonly {
      from: string;
      to: string;
      firstSeen: string;
      lastSeen: string;
      properties: Properties;
    }[];
  }[];
}

type Properties = Readonly<Record<string, unknown>>;
type Elements = Map<string, unknown>;

async function askJson<T>(url: string, path: string, body?: unknown): Promise<T> {
  const posted = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(url + path, body === undefined ? {} : posted);
  if (response.status !== 200) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

export function statusOf(url: string): Promise<CrashStatus> {
  return askJson(url, "/v1/status");
}

/** Resolves when the store accounts for every event that is in the log, and the jobs are under way: only then they know what they have counted. */
export async function settled(url: string): Promise<CrashStatus> {
  for (let wait = 1; ; wait++) {
    const status = await statusOf(url);
    const applied = new Set(status.store.inputs);
    const events = status.topics.filter(({ name }) => name.startsWith("events."));
    const isSettled = events.every(({ name, partitions }) =>
      partitions.every(({ next }, partition) => next === 0 || applied.has(`${name}/${partition}@${next - 1}`)),
    );
    if (isSettled && status.jobs.every(({ state }) => state === "running")) return status;
    if (wait > 2000) throw new Error(`The graph does not catch up: ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 20)));
  }
}

export interface ShownGraph {
  readonly users: Elements;
  readonly pages: Elements;
  readonly sessions: Elements;
  /** By `from to`. */
  readonly viewed: Elements;
  readonly opened: Elements;
}

export async function shownGraph(url: string, sessionIds: readonly string[]): Promise<ShownGraph> {
  const hop = (edge: string): Promise<Answer> =>
    askJson(url, "/v1/traverse", {
      from: { type: "user", ids: userIds },
      hops: [{ edge, limit: 1000, since: "3650d" }],
    });
  const nodes = (type: string, ids: readonly string[]): Promise<Answer> =>
    askJson(url, "/v1/traverse", { from: { type, ids }, hops: [] });
  const [viewed, opened, pages, sessions] = await Promise.all([
    hop("viewed"),
    hop("opened"),
    nodes("page", pageIds),
    sessionIds.length === 0 ? undefined : nodes("session", sessionIds),
  ]);
  for (const { complete } of [viewed, opened, pages]) if (!complete) throw new Error("An answer is not complete.");
  return {
    users: nodesOf(viewed, ({ properties }) => properties),
    pages: nodesOf(pages, ({ properties }) => properties),
    sessions:
      sessions === undefined
        ? new Map<string, unknown>()
        : nodesOf(sessions, ({ properties, firstSeen, lastSeen }) => ({ ...properties, firstSeen, lastSeen })),
    viewed: edgesOf(viewed),
    opened: edgesOf(opened),
  };
}

function nodesOf({ levels }: Answer, valueOf: (node: Answer["levels"][0]["nodes"][0]) => unknown): Elements {
  return new Map(levels[0]!.nodes.map((node) => [node.id, valueOf(node)]));
}

function edgesOf({ levels }: Answer): Elements {
  return new Map(
    (levels[1]?.edges ?? []).map(({ from, to, firstSeen, lastSeen, properties }) => [
      `${from} ${to}`,
      { ...properties, firstSeen, lastSeen },
    ]),
  );
}

export function verifyStore(url: string): Promise<{ differences: readonly unknown[]; rebuilt: boolean }> {
  return askJson(url, "/v1/store/verify", {});
}
