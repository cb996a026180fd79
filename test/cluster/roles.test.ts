// The roles of a cluster over a real broker: all in one process, and each in its own; replicas that die and catch up.
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { seededRandom } from "../../src/core/random.ts";
import type { ProcessStatus } from "../../src/observe/port.ts";
import { runCli } from "../cli/run-cli.ts";
import { firstSeed } from "../first-seed.ts";
import { Balancer, Reader } from "./reader.ts";
import { type ClusterFlags, RoleProcess } from "./role-process.ts";
import { sharedKafka, uniqueName } from "./shared.ts";
import { Visits } from "./visits.ts";

const graph = fileURLToPath(new URL("visits.graph.ts", import.meta.url));
const random = seededRandom(firstSeed("ROLES_SEED"));

const started: RoleProcess[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.dispose()));
});

async function start(role: string, flags: ClusterFlags, ...more: readonly string[]): Promise<RoleProcess> {
  const each = await RoleProcess.prepare(role, flags, more);
  started.push(each);
  await each.start();
  return each;
}

async function statusOf({ url }: RoleProcess): Promise<ProcessStatus> {
  return (await (await fetch(`${url}/v1/status`)).json()) as ProcessStatus;
}

async function newCluster(): Promise<ClusterFlags> {
  const { bootstrap } = await sharedKafka();
  return { graph, bootstrap, prefix: `${uniqueName("roles")}.` };
}

test("one process has all roles: events in, answers out, and everything is there after it was killed", async () => {
  const all = await start("gateway,jobs,serve,registry", await newCluster(), "--deploy-on-start", "true");
  const visits = new Visits(random, [all.url]);
  await visits.sendPlaces();
  for (let i = 0; i < 5; i++) await visits.send(50);
  await visits.check(all.url);
  await all.stop("SIGKILL");
  await all.start();
  await visits.check(all.url);
  for (let i = 0; i < 5; i++) await visits.send(50);
  await visits.check(all.url);
  expect(await all.stop("SIGTERM")).toBe(0);
  await all.start();
  await visits.check(all.url);
});

/** A registry, and the definition deployed with it. */
async function deployed(): Promise<ClusterFlags> {
  const flags = await newCluster();
  const registry = await start("registry", flags);
  const registryUrl = `${registry.url}/registry`;
  const where = ["--kafka-bootstrap", flags.bootstrap, "--kafka-prefix", flags.prefix, "--registry-url", registryUrl];
  const ran = await runCli(["deploy", graph, ...where]);
  expect(ran).toMatchObject({ code: 0 });
  return { ...flags, registryUrl };
}

test("two gateways, two workers, two replicas: one of each is killed and comes back, nothing is lost, doubled or refused for readers", async () => {
  const flags = await deployed();
  const roles = ["gateway", "gateway", "jobs", "jobs", "serve", "serve"];
  const processes = await Promise.all(roles.map((role) => start(role, flags)));
  const [gateway, otherGateway, worker, otherWorker, replica, otherReplica] = processes as [
    RoleProcess,
    RoleProcess,
    RoleProcess,
    RoleProcess,
    RoleProcess,
    RoleProcess,
  ];
  const visits = new Visits(random, [gateway.url, otherGateway.url]);
  await visits.sendPlaces();
  let over = false;
  const sending = visits.sendUntil(() => over, 50);
  const reader = new Reader(visits, [replica.url, otherReplica.url], random);
  const reading = reader.readUntil(() => over);
  for (const each of [replica, gateway, worker]) {
    await reader.have(6);
    await each.stop("SIGKILL");
    await reader.have(6);
    await each.start();
  }
  await reader.have(6);
  over = true;
  await Promise.all([sending, reading]);
  await visits.check(replica.url);
  await visits.check(otherReplica.url);
  expect(reader).toMatchObject({ wrong: [], refused: [] });
  expect(reader.passedOn).toBeGreaterThan(0);
  expect(visits.repeated).toBeGreaterThan(0);
  for (const each of [worker, otherWorker]) {
    // The one that was started last may still wait for its partitions.
    await expect.poll(async () => (await statusOf(each)).jobs[0]!.state, { timeout: 60_000 }).toBe("running");
    const { jobs, roles: has, store } = await statusOf(each);
    expect({ has, store }).toEqual({ has: ["jobs"] });
    expect(jobs).toMatchObject([{ event: "visit", counters: { expired: [0, 0, 0, 0] } }]);
  }
});

test("a rolling restart under load: every process ends in order and comes back, nothing is lost, doubled, or refused for readers", async () => {
  const flags = await deployed();
  const roles = ["serve", "serve", "gateway", "gateway", "jobs", "jobs"];
  const processes = await Promise.all(roles.map((role) => start(role, flags, "--stop-notice", "500ms")));
  const urlsOf = (wanted: string): string[] => processes.filter(({ role }) => role === wanted).map(({ url }) => url);
  const visits = new Visits(random, urlsOf("gateway"));
  await visits.sendPlaces();
  const balancer = new Balancer(urlsOf("serve"));
  const reader = new Reader(visits, balancer, random);
  let over = false;
  try {
    while (balancer.ready.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    const working = Promise.all([visits.sendUntil(() => over, 50), reader.readUntil(() => over)]);
    for (const each of processes.filter((_, i) => i % 2 === 0)) {
      await reader.have(3);
      expect(await each.stop("SIGTERM"), each.messages).toBe(0);
      await reader.have(3);
      await each.start();
    }
    await reader.have(3);
    over = true;
    await working;
  } finally {
    over = true;
    await balancer.stop();
  }
  for (const url of urlsOf("serve")) await visits.check(url);
  // Who goes by /readyz is never sent to another process, and no hand-over of a job takes longer than a reader waits.
  expect(reader).toMatchObject({ wrong: [], refused: [], passedOn: 0, late: 0 });
});
