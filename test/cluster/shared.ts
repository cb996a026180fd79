// The servers that all test files of a run share, and names that no other test has.
import { inject } from "vitest";
import { randomId } from "../../src/core/random.ts";
import type { CassandraAddress, KafkaAddress, RegistryAddress } from "./servers.ts";

/** The one Kafka of this run: started when the first test asks. */
export const sharedKafka = (): Promise<KafkaAddress> => ask("kafka");

/** The one Cassandra of this run: started when the first test asks. */
export const sharedCassandra = (): Promise<CassandraAddress> => ask("cassandra");

/** The one registry of this run that is not ours, Apicurio: started when the first test asks. */
export const sharedApicurio = (): Promise<RegistryAddress> => ask("apicurio");

/** For topics, groups, subjects and keyspaces: lower case letters, digits and underscores. */
export const uniqueName = (what: string): string => `${what}_${randomId().slice(0, 12)}`;

async function ask<Address>(name: string): Promise<Address> {
  const answer = await fetch(`${inject("sharedServers")}/${name}`);
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as Address;
}
