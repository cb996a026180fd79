// Whether a running RDG shows exactly what was acknowledged: the graph element by element, the counters of the jobs, the loss equations, the store against the log.
import { deepStrictEqual, ok } from "node:assert/strict";
import { type CrashStatus, settled, shownGraph, verifyStore } from "./graph-over-http.ts";
import type { Truth } from "./producers.ts";
import { expectedEdges, expectedPages, expectedSessions, expectedUsers, type Passing } from "./views.ts";

/** What time it is for elements that expire. */
export interface Moments {
  /** Of the server's wall clock, which may have been set back: what has expired by the latest may be forgotten. */
  readonly nowMs: number;
  readonly latestMs: number;
}

const ttlMs = 3_600_000;
/** Around the moment when an element expires it may be seen or not. */
const marginMs = 30_000;
/** Sessions of earlier phases are looked at by the verification only. */
const phasesShown = 6;

/** @throws AssertionError what differs */
export async function checkGraph(url: string, truth: Truth, moments: () => Moments, phase: number): Promise<void> {
  const status = await settled(url);
  checkCounters(status, truth);
  const { views, ended } = truth;
  const recent = new Set(Array.from({ length: phasesShown }, (_, i) => `s${phase - i}`));
  const isRecent = (id: string): boolean => recent.has(id.slice(id.indexOf("s"), id.indexOf("-")));
  const sessions = expectedSessions(views, ended);
  const shown = await shownGraph(url, [...sessions.nodes.keys()].filter(isRecent));
  same("users", shown.users, expectedUsers(views));
  same("pages", shown.pages, expectedPages(views));
  same("viewed", shown.viewed, expectedEdges(views));
  checkPassing("sessions", shown.sessions, sessions.nodes, isRecent, moments());
  checkPassing("opened", shown.opened, sessions.edges, (key) => isRecent(key.slice(key.indexOf(" ") + 1)), moments());
}

export async function checkStore(url: string): Promise<void> {
  const { differences, rebuilt } = await verifyStore(url);
  deepStrictEqual(differences.slice(0, 3), [], `the store differs from the log in ${differences.length} elements`);
  ok(rebuilt, "the store was not compared with the log");
}

function same(what: string, shown: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): void {
  deepStrictEqual(Object.fromEntries(sorted(shown)), Object.fromEntries(sorted(expected)), what);
}

function sorted(elements: ReadonlyMap<string, unknown>): (readonly [string, unknown])[] {
  return [...elements].sort(([a], [b]) => (a < b ? -1 : 1));
}

function checkPassing(
  what: string,
  shown: ReadonlyMap<string, unknown>,
  expected: ReadonlyMap<string, Passing>,
  isAsked: (key: string) => boolean,
  { nowMs, latestMs }: Moments,
): void {
  for (const [key, value] of shown) {
    const passing = expected.get(key);
    ok(passing !== undefined, `${what}: ${key} was never sent`);
    deepStrictEqual(value, passing.value, `${what}: ${key}`);
    ok(!passing.isRemoved, `${what}: ${key} is shown although it was removed`);
    ok(passing.lastSeenMs + ttlMs > nowMs - marginMs, `${what}: ${key} is shown although it has expired`);
  }
  for (const [key, { isRemoved, lastSeenMs }] of expected) {
    const mustShow = isAsked(key) && !isRemoved && lastSeenMs + ttlMs > latestMs + marginMs;
    if (mustShow) ok(shown.has(key), `${what}: ${key} is missing`);
  }
}

function checkCounters({ jobs, topics }: CrashStatus, truth: Truth): void {
  for (const { event, counters } of jobs) {
    const of = (name: string): readonly number[] => counters[name] ?? [];
    for (const [partition, received] of of("received").entries()) {
      const known = ["expired", "filtered", "deduplicated", "quarantined", "mapped"].map(
        (name) => of(name)[partition]!,
      );
      deepStrictEqual(
        received,
        sum(known),
        `${event}/${partition}: received = expired + filtered + deduplicated + quarantined + mapped`,
      );
    }
    deepStrictEqual(
      sum(of("emitted")),
      sum(of("merged")) + sum(of("published")),
      `${event}: emitted = merged + published`,
    );
  }
  const view = jobs.find(({ event }) => event === "view")!.counters;
  const counted = Object.keys(truth.counts).map((name) => [name, sum(view[name] ?? [])]);
  deepStrictEqual(Object.fromEntries(counted), truth.counts, "counters of the job of views");
  const received = sum(jobs.find(({ event }) => event === "ended")!.counters["received"] ?? []);
  deepStrictEqual(received, truth.ended.length, "events that the job of ends received");
  const records = (topic: string): number =>
    sum(topics.find(({ name }) => name === topic)!.partitions.map(({ next }) => next));
  deepStrictEqual(records("events.view"), truth.counts.received, "records in events.view");
  deepStrictEqual(records("events.ended"), truth.ended.length, "records in events.ended");
  deepStrictEqual(records("quarantine.jobs.view"), truth.counts.quarantined, "records in quarantine.jobs.view");
  deepStrictEqual(records("quarantine.gateway"), truth.gatewayQuarantined, "records in quarantine.gateway");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
