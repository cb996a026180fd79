// The Kafka log over TLS with each way to log in, on a broker that asks for it; and what it says when it is refused.
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from "@platformatic/kafka";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { batchOf, textsOf } from "../../src/log/conformance-batches.ts";
import { inspectTopics } from "../../src/log/kafka/inspect.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { KafkaConnection, KafkaSasl } from "../../src/log/kafka/settings.ts";
import type { Log } from "../../src/log/port.ts";
import { issue } from "../auth/der.ts";
import { startSecureKafka } from "./servers.ts";
import { uniqueName } from "./shared.ts";

const ca = issue({ commonName: "test authority" });
const broker = issue({ commonName: "kafka", dns: ["kafka.example"], issuer: ca });
const client = issue({ commonName: "rdg", issuer: ca });
const strangeCa = issue({ commonName: "another authority" });
const password = "correct horse";
const tls = { ca: ca.cert, serverName: "kafka.example" };
const topic = { name: "events.hit", form: "records", partitions: 2, retention: {} } as const;

let kafka: Awaited<ReturnType<typeof startSecureKafka>>;

beforeAll(async () => {
  kafka = await startSecureKafka({
    cert: `${broker.cert}${ca.cert}`,
    key: broker.key,
    clientCa: ca.cert,
    users: [
      { name: "rdg", password },
      { name: "guest", password },
    ],
    allowed: ["User:rdg", "User:CN=rdg"],
  });
});
afterAll(() => kafka?.stop());

async function open(connection: KafkaConnection, prefix = `${uniqueName("log")}.`): Promise<Log> {
  const settings = { prefix, retryForMs: 1_000, connectTimeoutMs: 5_000 };
  return await openKafkaLog({ connection, clock: systemClock, timers: systemTimers, settings });
}

const login = (sasl: KafkaSasl, more: Partial<KafkaConnection> = {}): KafkaConnection => ({
  bootstrap: [kafka.login],
  tls,
  sasl,
  ...more,
});

async function works(connection: KafkaConnection): Promise<void> {
  const log = await open(connection);
  try {
    await log.ensureTopics([topic]);
    await (await log.producer("p")).append(topic.name, 1, batchOf(["a", "b"], { idempotencyKey: "k" }));
    const worker = await log.joinJob("hit", topic.name);
    const assignment = await worker.assignment();
    await assignment.commit({ updates: undefined, quarantined: undefined, inputs: [], counters: { received: [0, 2] } });
    const found: string[] = [];
    for await (const frame of log.read({ topics: [topic.name], until: [] })) found.push(...textsOf(frame));
    expect(found).toEqual(["a", "b"]);
  } finally {
    await log.close();
  }
}

const mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

test.each(mechanisms)("%s over TLS: events, a job, and the topics", async (mechanism) => {
  await works(login({ mechanism, username: "rdg", password }));
});

test("a client certificate", async () => {
  await works({ bootstrap: [kafka.certificate], tls: { ...tls, cert: client.cert, key: client.key } });
});

test.each(mechanisms)("%s with a wrong password is refused", async (mechanism) => {
  const opened = open(login({ mechanism, username: "rdg", password: "wrong" }));
  await expect(opened).rejects.toMatchObject({ kind: "unauthorized", code: "kafka_login_refused" });
});

test("a user without rights is told which one is missing", async () => {
  const opened = open(login({ mechanism: "SCRAM-SHA-512", username: "guest", password }));
  await expect(opened).rejects.toMatchObject({ kind: "unauthorized", code: "kafka_forbidden" });
});

test.each([
  ["of an authority that is not trusted", { ca: strangeCa.cert, serverName: "kafka.example" }],
  ["of another name", { ca: ca.cert, serverName: "other.example" }],
])("a broker's certificate %s is refused at once", async (_, wrong) => {
  const opened = open(login({ mechanism: "PLAIN", username: "rdg", password }, { tls: wrong }));
  await expect(opened).rejects.toMatchObject({ kind: "unauthorized", code: "kafka_tls_refused" });
});

test("without the client certificate that the broker wants, it hangs up: the hint says what to look at", async () => {
  await expect(open({ bootstrap: [kafka.certificate], tls })).rejects.toMatchObject({
    code: "kafka_unavailable",
    hint: expect.stringContaining("TLS") as string,
  });
});

test("TLS with a port that has none, and none with a port that wants it, are not taken for working", async () => {
  const encrypted = open({ bootstrap: [kafka.bootstrap], tls });
  await expect(encrypted).rejects.toMatchObject({
    code: expect.stringMatching(/kafka_(tls_refused|unavailable)/) as string,
  });
  await expect(open({ bootstrap: [kafka.login] })).rejects.toMatchObject({ code: "kafka_unavailable" });
});

test("who may read a team's topic but not its settings deploys all the same, without knowing its retention", async () => {
  const name = uniqueName("team");
  const admin = new Admin({ clientId: "team", bootstrapBrokers: [kafka.bootstrap] });
  const topics = inspectTopics({
    connection: login({ mechanism: "PLAIN", username: "guest", password }),
    clock: systemClock,
    timers: systemTimers,
    settings: { retryForMs: 1_000 },
  });
  try {
    await admin.createTopics({ topics: [name], partitions: 3, replicas: 1 });
    await admin.createAcls({
      creations: [
        {
          resourceType: ResourceTypes.TOPIC,
          resourceName: name,
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: "User:guest",
          host: "*",
          operation: AclOperations.READ,
          permissionType: AclPermissionTypes.ALLOW,
        },
      ],
    });
    const found = async (): Promise<unknown> => (await topics.findForeign([name])).get(name);
    const expected = { name, partitions: 3, retention: {}, compacted: false, settingsHidden: true };
    await expect.poll(found, { timeout: 60_000 }).toEqual(expected);
  } finally {
    topics.close();
    await admin.close();
  }
});
