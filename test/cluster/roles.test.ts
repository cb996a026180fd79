// The roles of a cluster over a real broker: all in one process, and each in its own.
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { seededRandom } from "../../src/core/random.ts";
import { type ClusterFlags, RoleProcess } from "./role-process.ts";
import { sharedKafka, uniqueName } from "./shared.ts";
import { Visits } from "./visits.ts";

const graph = fileURLToPath(new URL("visits.graph.ts", import.meta.url));
const random = seededRandom(Date.now());

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
