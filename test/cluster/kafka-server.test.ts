// The Kafka of the tests serves: what one client writes another reads; killed and started again it has kept it; nothing is left of it when it was stopped.
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka";
import { expect, test } from "vitest";
import { startKafka } from "./servers.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

test("records of one client are read by another", async () => {
  const { bootstrap } = await sharedKafka();
  const topic = uniqueName("smoke");
  await createTopic(bootstrap, topic);
  await produce(bootstrap, topic, ["one", "two"]);
  expect(await consume(bootstrap, topic, 2)).toEqual(["one", "two"]);
});

test("a broker that was killed has kept what it acknowledged", async () => {
  const kafka = await startKafka();
  try {
    const topic = uniqueName("kept");
    await createTopic(kafka.bootstrap, topic);
    await produce(kafka.bootstrap, topic, ["before"]);
    await kafka.kill();
    await kafka.restart();
    await produce(kafka.bootstrap, topic, ["after"]);
    expect(await consume(kafka.bootstrap, topic, 2)).toEqual(["before", "after"]);
  } finally {
    await kafka.stop();
  }
  const admin = new Admin({ clientId: "smoke", bootstrapBrokers: [kafka.bootstrap], retries: 0 });
  await expect(admin.listTopics()).rejects.toThrow();
  await admin.close();
});

async function createTopic(bootstrap: string, topic: string): Promise<void> {
  const admin = new Admin({ clientId: "smoke", bootstrapBrokers: [bootstrap] });
  try {
    await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 });
  } finally {
    await admin.close();
  }
}

async function produce(bootstrap: string, topic: string, values: readonly string[]): Promise<void> {
  const producer = new Producer({ clientId: "smoke", bootstrapBrokers: [bootstrap], serializers: stringSerializers });
  try {
    await producer.send({ messages: values.map((value) => ({ topic, value })) });
  } finally {
    await producer.close();
  }
}

async function consume(bootstrap: string, topic: string, count: number): Promise<readonly string[]> {
  const consumer = new Consumer({
    clientId: "smoke",
    groupId: uniqueName("smoke"),
    bootstrapBrokers: [bootstrap],
    deserializers: stringDeserializers,
    autocommit: false,
  });
  const values: string[] = [];
  try {
    const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: false });
    for await (const { value } of stream) if (values.push(value) === count) break;
  } finally {
    await consumer.close(true);
  }
  return values;
}
