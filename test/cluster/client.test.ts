// The typed client of a cluster: two replicas and two gateways behind it, killed and caught up again, then all upgraded to a newer definition, process by process.
// Meanwhile it sends and asks: what it sends counts once, what it is told never goes back, and nothing is refused.
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Client, connect } from "../../src/client/index.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { type Ran, runCli } from "../cli/run-cli.ts";
import { firstSeed } from "../first-seed.ts";
import { type ClusterFlags, RoleProcess } from "./role-process.ts";
import { sharedKafka, uniqueName } from "./shared.ts";
import * as next from "./visits-next.graph.ts";
import { person, place, visit, visited } from "./visits.graph.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const pauseMs = 10;
/** For positions, at most: a busy machine is no fault. */
const waitMs = 60_000;
const patienceMs = 200_000;

let folder = "";
let graph = "";
let flags: ClusterFlags;
const started: RoleProcess[] = [];
/** By person, in all tests: they have one graph. */
const sent = new Map<string, bigint>();
let visits = 0;
let processes: Readonly<Record<"serve" | "jobs" | "gateway", readonly RoleProcess[]>>;

const rdg = (command: string, definition = graph): Promise<Ran> => {
  const kafka = ["--kafka-bootstrap", flags.bootstrap, "--kafka-prefix", flags.prefix];
  return runCli([command, definition, ...kafka, "--registry-url", flags.registryUrl!]);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-client-"));
  graph = join(folder, "graph.ts");
  await copyFile(here("visits.graph.ts"), graph);
  const { bootstrap } = await sharedKafka();
  flags = { graph, bootstrap, prefix: `${uniqueName("client")}.` };
  const start = async (role: string): Promise<RoleProcess> => {
    const each = await RoleProcess.prepare(role, flags, ["--serve-timeout", `${waitMs}ms`]);
    started.push(each);
    await each.start();
    return each;
  };
  const registry = await start("registry");
  flags = { ...flags, registryUrl: `${registry.url}/registry` };
  expect(await rdg("deploy")).toMatchObject({ code: 0 });
  const [serve, otherServe, jobs, gateway, otherGateway] = await Promise.all(
    ["serve", "serve", "jobs", "gateway", "gateway"].map(start),
  );
  processes = { serve: [serve!, otherServe!], jobs: [jobs!], gateway: [gateway!, otherGateway!] };
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.dispose()));
  await rm(folder, { recursive: true, force: true });
});

const urlsOf = (all: readonly RoleProcess[]) => all.map(({ url }) => url) as [string, ...string[]];

/** Sends visits and asks after them through one client, all the time. */
class Traffic {
  readonly client: Client;
  readonly #random: Random;
  readonly #told = new Map<string, bigint>();
  readonly #working: Promise<unknown>;
  #over = false;
  asked = 0;
  /** Answers of an earlier moment than one before them, of less than what was waited for, and failures. */
  readonly wrong: string[] = [];

  constructor(seed: number) {
    console.info(`seed ${seed}`);
    this.#random = seededRandom(seed);
    const gateways = urlsOf(processes.gateway);
    this.client = connect(urlsOf(processes.serve), { gateways, retries: 100, timeoutMs: patienceMs, answerMs: 5_000 });
    this.#working = Promise.all([this.#send(), this.#send(), this.#ask(), this.#ask()]);
  }

  /** Resolves when so many more questions were answered. */
  async have(more: number): Promise<void> {
    const wanted = this.asked + more;
    while (this.asked < wanted && this.wrong.length === 0) await sleep();
  }

  /** Resolves when everything that was acknowledged is there, once. */
  async end(): Promise<void> {
    this.#over = true;
    await this.#working;
    expect(this.wrong).toEqual([]);
    for (const url of urlsOf(processes.serve)) {
      const one = connect(url, { retries: 100, timeoutMs: patienceMs });
      const { positions } = await this.client.produce(visit, this.#visit("last"));
      this.#count("last");
      const ids = [...sent.keys()];
      const { nodes } = await one.nodes(person, ids, { waitFor: positions, timeoutMs: waitMs });
      expect(new Map(nodes.map(({ id, properties }) => [id, properties.visits]))).toEqual(sent);
    }
  }

  async #send(): Promise<void> {
    while (!this.#over) {
      const id = this.#person();
      try {
        const { positions } = await this.client.produce(visit, this.#visit(id));
        this.#count(id);
        const atLeast = sent.get(id)!;
        if (this.#random.below(4) > 0) continue;
        const { nodes } = await this.client.nodes(person, [id], { waitFor: positions, timeoutMs: waitMs });
        const told = nodes[0]?.properties.visits ?? 0n;
        if (told < atLeast) this.wrong.push(`${id} had ${atLeast} visits that were waited for, ${told} were told`);
      } catch (error) {
        this.wrong.push(String(error));
        return;
      }
      await sleep();
    }
  }

  async #ask(): Promise<void> {
    while (!this.#over) {
      const id = this.#person();
      const before = this.#told.get(id) ?? 0n;
      try {
        const { nodes } = await this.client.nodes(person, [id], { timeoutMs: waitMs });
        const told = nodes[0]?.properties.visits ?? 0n;
        if (told < before) this.wrong.push(`${id} had ${before} visits, and then ${told}`);
        if (told > (this.#told.get(id) ?? 0n)) this.#told.set(id, told);
        this.asked++;
      } catch (error) {
        this.wrong.push(String(error));
        return;
      }
      await sleep();
    }
  }

  #count(id: string): void {
    sent.set(id, (sent.get(id) ?? 0n) + 1n);
  }

  #person(): string {
    return `person ${this.#random.below(10)}`;
  }

  #visit(personId: string) {
    const visitId = `visit ${++visits}`;
    return { visitId, personId, placeId: `place ${this.#random.below(5)}`, spent: 1n, at: new Date() };
  }
}

test(
  "two replicas and two gateways behind one client: of each one is killed and comes back, and the client notices nothing",
  { timeout: 600_000 },
  async () => {
    const traffic = new Traffic(firstSeed("CLIENT_SEED"));
    for (const each of [processes.serve[0]!, processes.gateway[0]!, processes.serve[1]!]) {
      await traffic.have(20);
      await each.stop("SIGKILL");
      await traffic.have(20);
      await each.start();
    }
    await traffic.have(20);
    await traffic.end();
  },
);

test(
  "a newer definition, with a property and an edge type more, is taken role by role under load; one that does not fit is refused",
  { timeout: 600_000 },
  async () => {
    const plan = await rdg("plan", here("visits-next.graph.ts"));
    expect(plan).toMatchObject({ code: 0 });
    expect(plan.out).toMatch(/~ definition edge liked +edge added/);
    expect(plan.out).toMatch(/~ definition node person\.properties\.seen +property added/);
    const unfit = await rdg("plan", here("visits-unfit.graph.ts"));
    expect(unfit.code).not.toBe(0);
    expect(unfit.err).toContain("person.spent was");

    const traffic = new Traffic(firstSeed("CLIENT_SEED"));
    await traffic.have(10);
    // Nothing that is not deployed yet is run.
    await copyFile(here("visits-next.graph.ts"), graph);
    await processes.gateway[0]!.stop("SIGTERM");
    await expect(processes.gateway[0]!.start()).rejects.toThrow("not deployed");
    expect(await rdg("deploy")).toMatchObject({ code: 0 });
    await processes.gateway[0]!.start();
    for (const each of [...processes.serve, ...processes.jobs, processes.gateway[1]!]) {
      expect(await each.stop("SIGTERM"), each.messages).toBe(0);
      await traffic.have(5);
      await each.start();
    }
    await traffic.have(10);
    const newer = { visitId: "newer", personId: "newer", placeId: "place 0", spent: 1n, at: new Date(0), liked: true };
    const { positions } = await traffic.client.produce(next.visit, newer);
    const answer = await traffic.client
      .from(next.person, ["newer"])
      .out(next.liked)
      .run({ waitFor: positions, timeoutMs: waitMs, defaults: { since: "ever" } });
    expect(answer.edges(0).map(({ to }) => to.id)).toEqual(["place 0"]);
    expect(answer.edges(0)[0]!.from.properties.seen).toEqual(new Date(0));
    // What is known of earlier definitions goes on.
    const known = await traffic.client
      .from(person, ["newer"])
      .out(visited)
      .run({ defaults: { since: "ever" } });
    expect(known.edges(0).map(({ to }) => to.id)).toEqual(["place 0"]);
    expect((await traffic.client.nodes(place, ["place 0"])).nodes).toHaveLength(1);
    await traffic.end();
  },
);

const sleep = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pauseMs));
