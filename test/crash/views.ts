// Views for the crash tests, and the naive truth about them: plain maps over every event that was acknowledged.
import type { Random } from "../../src/core/random.ts";

export interface View {
  readonly viewId: string;
  readonly userId: string;
  readonly pageId: string;
  readonly position: number;
  readonly country: string;
  readonly sessionId?: string;
  readonly at: number;
}

const users = 40;
const pages = 25;

/** Event times go back and forth, and often tie. */
export function randomView(index: number, baseMs: number, random: Random): View {
  return {
    viewId: `v${index}`,
    userId: `u${random.below(users)}`,
    pageId: `p${random.below(pages)}`,
    position: random.below(1000),
    country: ["NL", "BE", "DE", "FR"][random.below(4)]!,
    at: baseMs + random.below(2000),
  };
}

export const userIds = Array.from({ length: users }, (_, i) => `u${i}`);
export const pageIds = Array.from({ length: pages }, (_, i) => `p${i}`);

interface Seen {
  readonly firstSeen: string;
  readonly lastSeen: string;
}

export interface ExpectedEdge extends Seen {
  readonly times: string;
  readonly sum: string;
  readonly position: string;
  readonly furthest: string;
}

/** What the edge of each (user, page) must be, by `user page`. */
export function expectedEdges(views: readonly View[]): Map<string, ExpectedEdge> {
  const groups = Map.groupBy(views, ({ userId, pageId }) => `${userId} ${pageId}`);
  return new Map([...groups].map(([key, group]) => [key, edgeOf(group)]));
}

function edgeOf(views: readonly View[]): ExpectedEdge {
  const lastMs = Math.max(...views.map(({ at }) => at));
  const last = Math.max(...views.filter(({ at }) => at === lastMs).map(({ position }) => position));
  return {
    times: String(views.length),
    sum: String(views.reduce((sum, { position }) => sum + position, 0)),
    position: String(last),
    furthest: String(Math.max(...views.map(({ position }) => position))),
    ...seenOf(views),
  };
}

function seenOf(views: readonly View[]): Seen {
  const times = views.map(({ at }) => at);
  return {
    firstSeen: new Date(Math.min(...times)).toISOString(),
    lastSeen: new Date(Math.max(...times)).toISOString(),
  };
}

export interface ExpectedNode {
  readonly views: string;
  readonly [property: string]: unknown;
}

/** What each user must be, by id. */
export function expectedUsers(views: readonly View[]): Map<string, ExpectedNode> {
  const groups = Map.groupBy(views, ({ userId }) => userId);
  return new Map([...groups].map(([id, own]) => [id, userOf(own)]));
}

function userOf(views: readonly View[]): ExpectedNode {
  const firstMs = Math.min(...views.map(({ at }) => at));
  const [firstCountry] = views
    .filter(({ at }) => at === firstMs)
    .map(({ country }) => country)
    .toSorted();
  return { views: String(views.length), firstCountry };
}

export function expectedPages(views: readonly View[]): Map<string, ExpectedNode> {
  const groups = Map.groupBy(views, ({ pageId }) => pageId);
  return new Map(
    [...groups].map(([id, own]) => {
      const countries = [...new Set(own.map(({ country }) => country))].toSorted();
      return [id, { views: String(own.length), title: `Page ${id}`, countries }];
    }),
  );
}

export interface Ended {
  readonly sessionId: string;
  readonly at: number;
}

/** An element that goes: `value` is what it must be while it is seen, and it must be seen or not as the moment demands. */
export interface Passing {
  readonly value: Seen & { readonly views: string };
  readonly lastSeenMs: number;
  readonly isRemoved: boolean;
}

/** Sessions by id, and the edges to them by `user session`. */
export function expectedSessions(
  views: readonly View[],
  ended: readonly Ended[],
): { readonly nodes: Map<string, Passing>; readonly edges: Map<string, Passing> } {
  const removedAt = new Map<string, number>();
  for (const { sessionId, at } of ended) removedAt.set(sessionId, Math.max(at, removedAt.get(sessionId) ?? at));
  const inSession = views.filter((view) => view.sessionId !== undefined);
  const passing = (own: readonly View[]): Passing => {
    const lastSeenMs = Math.max(...own.map(({ at }) => at));
    return {
      value: { views: String(own.length), ...seenOf(own) },
      lastSeenMs,
      isRemoved: lastSeenMs <= (removedAt.get(own[0]!.sessionId!) ?? -Infinity),
    };
  };
  const by = (key: (view: View) => string): Map<string, Passing> =>
    new Map([...Map.groupBy(inSession, key)].map(([id, own]) => [id, passing(own)]));
  return { nodes: by(({ sessionId }) => sessionId!), edges: by(({ userId, sessionId }) => `${userId} ${sessionId}`) };
}
