// Any traversal of the typed client: its rows say what the server's JSON says.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { server, rdg, overEach } from "../../test/client/over-both.ts";
import { knows, likes, owns, person } from "../../test/client/people.ts";
import type { EdgeAnswer, NodeAnswer, TraverseAnswer } from "../model/traversal.ts";

overEach(() => {
  test("whatever is asked, the client's answer is the server's, decoded", async () => {
    const hop = fc.record({
      direction: fc.constantFrom("out", "in", "both"),
      edges: fc.uniqueArray(fc.constantFrom(knows, owns, likes), { minLength: 1, maxLength: 3 }),
      latest: fc.integer({ min: 1, max: 6 }),
      times: fc.constantFrom(1, 1, 1, 2, 3),
    });
    const starts = fc.uniqueArray(fc.constantFrom("ann", "bob", "cid", "l0", "h1", "m3", "none"), { minLength: 1 });
    const asked = fc.record({ starts, hops: fc.array(hop, { maxLength: 3 }) });
    await fc.assert(
      fc.asyncProperty(asked, async ({ starts, hops }) => {
        let steps = rdg.from(person, ...(starts as [string])) as unknown as ReturnType<Loose["out"]>;
        for (const { direction, edges, latest, times } of hops) {
          steps = steps[direction as "out"](edges, { latest, ...(times > 1 && { repeat: { times } }) });
        }
        const response = await fetch(`${server.http}/v1/traverse`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(steps.request()),
        });
        const json = (await response.json()) as TraverseAnswer & { code?: string };
        if (!response.ok) {
          await expect(steps.run()).rejects.toMatchObject({ code: json.code });
          return;
        }
        const answer = await steps.run();
        expect(answer.complete).toBe(json.complete);
        for (const number of hops.keys()) {
          const ofHop = json.levels.filter((_, i) => i > 0 && (json.hops[i - 1]!.hop ?? i - 1) === number);
          const edges = ofHop.flatMap((level) => level.edges ?? []);
          expect(answer.edges(number).map(plainEdge)).toEqual(edges);
          for (const { from, to } of answer.edges(number)) {
            for (const end of [from, to]) expect(known(json, end.type, end.id)).toContainEqual(plainNode(end));
          }
        }
        const first = json.levels[0]!.nodes;
        expect(answer.level(0).map(plainNode)).toEqual(first);
      }),
      { numRuns: 80 },
    );
  });
});

/** Everything that an answer says of an element, from the row or from the JSON, in one form. */
const plain = (value: unknown): unknown => {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  return value;
};

const plainProperties = (properties: object): object =>
  Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, plain(value)]));

interface Row {
  readonly type: string;
  readonly id: string;
  readonly firstSeen?: Date;
  readonly lastSeen?: Date;
  readonly properties: object;
}

interface Loose {
  out(
    edges: unknown,
    options: object,
  ): Loose & {
    request(): object;
    run(): Promise<{
      complete: boolean;
      edges(hop: number): { type: string; from: Row; to: Row; firstSeen: Date; lastSeen: Date; properties: object }[];
      level(level: number): Row[];
    }>;
  };
}

function plainEdge({
  type,
  from,
  to,
  firstSeen,
  lastSeen,
  properties,
}: {
  type: string;
  from: Row;
  to: Row;
  firstSeen: Date;
  lastSeen: Date;
  properties: object;
}): EdgeAnswer {
  const times = { firstSeen: firstSeen.toISOString(), lastSeen: lastSeen.toISOString() };
  return {
    type,
    from: from.id,
    to: to.id,
    ...times,
    properties: plainProperties(properties) as EdgeAnswer["properties"],
  };
}

function plainNode({ type, id, firstSeen, lastSeen, properties }: Row): NodeAnswer {
  if (firstSeen === undefined || lastSeen === undefined) return { type, id };
  const times = { firstSeen: firstSeen.toISOString(), lastSeen: lastSeen.toISOString() };
  return { type, id, ...times, properties: plainProperties(properties) as NonNullable<NodeAnswer["properties"]> };
}

/** What an answer says of a node, on whatever level. */
function known(answer: TraverseAnswer, type: string, id: string): readonly NodeAnswer[] {
  return answer.levels.flatMap(({ nodes }) => nodes.filter((node) => node.type === type && node.id === id));
}
