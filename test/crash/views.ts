// Views for the crash test, and the naive truth about them: plain maps over every event that was acknowledged.
import type { Random } from "../../src/core/random.ts";

export interface View {
  readonly viewId: string;
  readonly userId: string;
  readonly pageId: string;
  readonly position: number;
  readonly country: string;
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

export interface ExpectedEdge {
  readonly times: string;
  readonly sum: string;
  readonly position: string;
  readonly furthest: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
}

/** What the edge of each (user, page) must be, by `user page`. */
export function expectedEdges(views: readonly View[]): Map<string, ExpectedEdge> {
  const groups = Map.groupBy(views, ({ userId, pageId }) => `${userId} ${pageId}`);
  return new Map([...groups].map(([key, group]) => [key, edgeOf(group)]));
}

function edgeOf(views: readonly View[]): ExpectedEdge {
  const times = views.map(({ at }) => at);
  const lastMs = Math.max(...times);
  const last = Math.max(...views.filter(({ at }) => at === lastMs).map(({ position }) => position));
  return {
    times: String(views.length),
    sum: String(views.reduce((sum, { position }) => sum + position, 0)),
    position: String(last),
    furthest: String(Math.max(...views.map(({ position }) => position))),
    firstSeen: new Date(Math.min(...times)).toISOString(),
    lastSeen: new Date(lastMs).toISOString(),
  };
}

export interface ExpectedNode {
  readonly views: string;
  readonly [property: string]: unknown;
}

export function expectedUser(views: readonly View[], userId: string): ExpectedNode | undefined {
  const own = views.filter((view) => view.userId === userId);
  if (own.length === 0) return undefined;
  const firstMs = Math.min(...own.map(({ at }) => at));
  const [firstCountry] = own
    .filter(({ at }) => at === firstMs)
    .map(({ country }) => country)
    .toSorted();
  return { views: String(own.length), firstCountry };
}

export function expectedPage(views: readonly View[], pageId: string): ExpectedNode | undefined {
  const own = views.filter((view) => view.pageId === pageId);
  if (own.length === 0) return undefined;
  const countries = [...new Set(own.map(({ country }) => country))].toSorted();
  return { views: String(own.length), title: `Page ${pageId}`, countries };
}
