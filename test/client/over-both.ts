// The typed client asks the server of people over HTTP and over gRPC: the same tests for both.
import { afterAll, beforeAll, describe } from "vitest";
import type { Client } from "../../src/client/client.ts";
import { connect } from "../../src/client/grpc/index.ts";
import { type PeopleServer, peopleServer } from "./people.ts";

export let server: PeopleServer;

export let rdg: Client;

/** Over HTTP. */
export const requests: { body: unknown; accept: string | undefined }[] = [];

beforeAll(async () => {
  server = await peopleServer({ produce: nothing, produceMixed: nothing, close: async () => {} });
});

afterAll(() => server.close());

export async function nothing(): Promise<never> {
  throw new Error("Nothing is produced here");
}

export const pairs = (
  edges: readonly { type: string; from: { id: string }; to: { id: string } }[],
): readonly string[] => edges.map(({ type, from, to }) => `${from.id} ${type} ${to.id}`);

export const ids = (nodes: readonly { type: string; id: string }[]): readonly string[] =>
  nodes.map(({ type, id }) => `${type} ${id}`);

/** The same tests over both transports. */
export function overEach(define: (transport: "http" | "grpc") => void): void {
  describe.each(["http", "grpc"] as const)("over %s", (transport) => {
    beforeAll(() => {
      rdg = connect(server[transport], {
        fetch(address, init) {
          const { accept } = init.headers as Record<string, string>;
          requests.push({ body: JSON.parse(init.body as string), accept });
          return fetch(address, init);
        },
      });
    });
    afterAll(() => rdg.close());

    define(transport);
  });
}
