// Which cluster a topic is on, by what settings say: as the main one where they say nothing, and refused where there is none.
import { expect, test } from "vitest";
import { resolveSettings } from "../../core/settings.ts";
import { checkPlaces, kafkaClustersOf, readClusters } from "./kafka-clusters.ts";
import { clusterSettings } from "./settings.ts";

const { values } = resolveSettings(clusterSettings, {
  flags: { "kafka.bootstrap": "main:9092", "kafka.mechanism": "PLAIN", "kafka.username": "rdg", "kafka.password": "a" },
});
const path = "rdg.config.ts";

test("a cluster is reached as the settings say, and as the main one where they say nothing; secrets come by variables", async () => {
  const written = { fronting: { bootstrap: "edge-1:9092,edge-2:9092", mechanism: "SCRAM-SHA-512" } };
  const clusters = readClusters(written, values, { RDG_CLUSTERS_FRONTING_PASSWORD: "b" }, path);
  expect(await kafkaClustersOf({ ...values, clusters })).toEqual(
    new Map([
      [
        "fronting",
        {
          bootstrap: ["edge-1:9092", "edge-2:9092"],
          clientId: "rdg",
          sasl: { mechanism: "SCRAM-SHA-512", username: "rdg", password: "b" },
        },
      ],
    ]),
  );
  checkPlaces(new Map([["events.visit", { cluster: "fronting" }]]), clusters, path);
});

test.each([
  [{ fronting: {} }, "clusters.fronting.bootstrap is missing"],
  [{ Fronting: { bootstrap: "a:1" } }, "cannot be named so"],
  [{ fronting: { bootstrap: "a:1", prefix: "b" } }, "prefix"],
  [[], "are not Kafka clusters by name"],
])("%j is refused", (written, reason) => {
  expect(() => readClusters(written, values, {}, path)).toThrowError(reason);
});

test("topics on a cluster that there is not are refused", () => {
  const clusters = readClusters({ fronting: { bootstrap: "a:1" } }, values, {}, path);
  const topics = new Map([["events.visit", { cluster: "frontin" }]]);
  expect(() => checkPlaces(topics, clusters, path)).toThrowError(/no cluster/);
});
