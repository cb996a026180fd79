// Clients of cluster tests: they send visits, each until it is acknowledged by some gateway, whatever happens to the processes, and know what the graph must say.
import { deepStrictEqual } from "node:assert/strict";
import { randomId, type Random } from "../../src/core/random.ts";

interface Visit {
  readonly visitId: string;
  readonly personId: string;
  readonly placeId: string;
  readonly spent: number;
  readonly at: string;
}

interface Visited {
  times: number;
  spent: number;
  most: number;
  at: string;
}

export interface Level {
  readonly nodes: readonly { readonly id: string; readonly properties: Readonly<Record<string, unknown>> }[];
  readonly edges?: readonly {
    readonly from: string;
    readonly to: string;
    readonly properties: Readonly<Record<string, unknown>>;
  }[];
}

const peopleCount = 40;
const placesCount = 12;
export const peopleIds = Array.from({ length: peopleCount }, (_, i) => `person ${i}`);
const placeIds = Array.from({ length: placesCount }, (_, i) => `place ${i}`);
const retryMs = 20;
const sendTimeoutMs = 8_000;

export class Visits {
  readonly #random: Random;
  /** All are of one gateway's cluster: any of them takes any request. */
  readonly #gateways: readonly string[];
  readonly #people = new Map<string, { visits: number; spent: number }>();
  readonly #places = new Map<string, number>();
  readonly #visited = new Map<string, Visited>();
  /** Of each person, also what is not acknowledged yet. */
  readonly #begun = new Map<string, number>();
  #number = 0;
  acknowledged = 0;
  /** Requests that had to be sent again. */
  repeated = 0;
  /** Last acknowledged offset by partition. */
  readonly #positions = new Map<string, number>();

  constructor(random: Random, gateways: readonly string[]) {
    this.#random = random;
    this.#gateways = gateways;
  }

  /** Of a person, acknowledged so far. */
  visitsOf(person: string): number {
    return this.#people.get(person)?.visits ?? 0;
  }

  /** Of a person, sent so far: nobody may tell of more. */
  begunVisitsOf(person: string): number {
    return this.#begun.get(person) ?? 0;
  }

  /** Positions that a reader waits for to see everything that is acknowledged now. */
  get positions(): string[] {
    return [...this.#positions].map(([partition, offset]) => `${partition}@${offset}`);
  }

  async sendPlaces(): Promise<void> {
    const rows = placeIds.map((placeId) => ({ placeId, name: `Place ${placeId}` }));
    await this.#post("/v1/inputs/places", rows);
  }

  /** Sends some visits; resolves when they are acknowledged. */
  async send(count: number): Promise<void> {
    const visits = Array.from({ length: count }, () => this.#visit());
    this.#note(await this.#post("/v1/events/visit", visits));
    for (const visit of visits) this.#count(visit);
    this.acknowledged += visits.length;
  }

  /** Sends until `isOver`, in several lanes. */
  async sendUntil(isOver: () => boolean, pauseMs = 10): Promise<void> {
    const lane = async (): Promise<void> => {
      while (!isOver()) {
        await this.send(1 + this.#random.below(20));
        await sleep(this.#random.below(pauseMs));
      }
    };
    await Promise.all([lane(), lane(), lane()]);
  }

  /** Resolves when every server shows everything that is acknowledged now. @throws what one of them says after `patienceMs` */
  async shown(servers: readonly string[], patienceMs: number): Promise<void> {
    const untilMs = Date.now() + patienceMs;
    for (const url of servers) {
      for (;;) {
        try {
          await this.read(url, peopleIds.slice(0, 1));
          break;
        } catch (error) {
          if (Date.now() > untilMs) throw error;
          await sleep(retryMs);
        }
      }
    }
  }

  /** @throws AssertionError when what the server says is not exactly what was acknowledged */
  async check(url: string): Promise<void> {
    const people: Record<string, unknown> = {};
    const places: Record<string, unknown> = {};
    const visited: Record<string, unknown> = {};
    const [first, second] = await this.read(url, peopleIds);
    for (const { id, properties } of first!.nodes) people[id] = properties;
    for (const { id, properties } of second?.nodes ?? []) places[id] = properties;
    for (const { from, to, properties } of second?.edges ?? []) visited[`${from} -> ${to}`] = properties;
    const expected = this.#expected();
    deepStrictEqual(sorted(people), sorted(expected.people), "people");
    deepStrictEqual(sorted(places), sorted(expected.places), "places");
    deepStrictEqual(sorted(visited), sorted(expected.visited), "visits of places");
  }

  /** People and where they were, as of everything that is acknowledged now. */
  async read(url: string, ids: readonly string[], waitFor = this.positions): Promise<readonly Level[]> {
    const request = {
      from: { type: "person", ids },
      hops: [{ edge: "visited", limit: 100 }],
      ...(waitFor.length === 0 ? {} : { waitFor, timeoutMs: 10_000 }),
    };
    const body = JSON.stringify(request);
    // A connection of its own: one that is kept open may lead to a process that is gone.
    const headers = { "content-type": "application/json", connection: "close" };
    const response = await fetch(`${url}/v1/traverse`, {
      method: "POST",
      headers,
      body,
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${url}/v1/traverse was answered ${response.status}: ${text}`);
    const { levels, complete } = JSON.parse(text) as { levels: readonly Level[]; complete: boolean };
    if (!complete) throw new Error(`The answer is not complete: ${text.slice(-500)}`);
    return levels;
  }

  #visit(): Visit {
    const pick = (ids: readonly string[]): string => ids[this.#random.below(ids.length)]!;
    const personId = pick(peopleIds);
    this.#begun.set(personId, this.begunVisitsOf(personId) + 1);
    return {
      visitId: `visit ${++this.#number}`,
      personId,
      placeId: pick(placeIds),
      spent: this.#random.below(1000),
      at: new Date(Date.now() - this.#random.below(1000)).toISOString(),
    };
  }

  #count({ personId, placeId, spent, at }: Visit): void {
    const person = this.#people.get(personId) ?? { visits: 0, spent: 0 };
    this.#people.set(personId, { visits: person.visits + 1, spent: person.spent + spent });
    this.#places.set(placeId, (this.#places.get(placeId) ?? 0) + 1);
    const key = `${personId} -> ${placeId}`;
    const before = this.#visited.get(key) ?? { times: 0, spent: 0, most: 0, at: "" };
    const isLast = at > before.at || (at === before.at && spent > before.spent);
    this.#visited.set(key, {
      times: before.times + 1,
      spent: isLast ? spent : before.spent,
      most: Math.max(before.most, spent),
      at: isLast ? at : before.at,
    });
  }

  #expected() {
    const people = [...this.#people].map(([id, { visits, spent }]) => [
      id,
      { visits: String(visits), spent: String(spent) },
    ]);
    const places = [...this.#places].map(([id, visits]) => [id, { visits: String(visits), name: `Place ${id}` }]);
    const visited = [...this.#visited].map(([key, { times, spent, most }]) => [
      key,
      { times: String(times), spent: String(spent), most: String(most) },
    ]);
    return {
      people: Object.fromEntries(people) as Record<string, unknown>,
      places: Object.fromEntries(places) as Record<string, unknown>,
      visited: Object.fromEntries(visited) as Record<string, unknown>,
    };
  }

  /** Sends it again, to another gateway perhaps, until one has acknowledged it. */
  async #post(path: string, lines: readonly unknown[]): Promise<readonly string[]> {
    const body = lines.map((line) => JSON.stringify(line)).join("\n");
    const headers = { "content-type": "application/x-ndjson", "idempotency-key": randomId() };
    let at = this.#random.below(this.#gateways.length);
    for (;;) {
      const response = await fetch(this.#gateways[at]! + path, {
        method: "POST",
        headers,
        body,
        signal: AbortSignal.timeout(sendTimeoutMs),
      }).catch(() => undefined);
      const text = await response?.text().catch(() => undefined);
      if (response?.status === 202 && text !== undefined)
        return (JSON.parse(text) as { positions: string[] }).positions;
      const isOver = response !== undefined && ![429, 500, 503].includes(response.status);
      if (isOver) throw new Error(`${path} was answered ${response.status}: ${text}`);
      this.repeated++;
      at = (at + 1) % this.#gateways.length;
      await sleep(retryMs);
    }
  }

  #note(positions: readonly string[]): void {
    for (const position of positions) {
      const [partition, offset] = position.split("@") as [string, string];
      this.#positions.set(partition, Math.max(this.#positions.get(partition) ?? -1, Number(offset)));
    }
  }
}

function sorted(elements: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(elements).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
