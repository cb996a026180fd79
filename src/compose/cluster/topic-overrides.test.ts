// What settings say of type topics: published in a form, with partitions and retention of their own, as the topics that are deployed.
import { expect, test } from "vitest";
import { count, defineGraph, event, job, node, t } from "../../index.ts";
import { topicsOf } from "../topics.ts";
import { describeOverride, readTopicOverrides, withOverrides } from "./topic-overrides.ts";

const visit = event("visit", { key: "by", time: "at", fields: { by: t.string(), at: t.timestamp() } });
const account = node("account", { visits: t.counter() });
const graph = defineGraph("people", {
  jobs: [job(visit).emit((e) => [account.upsert(e.by, { visits: count(1) })])],
});

test("a type topic is published as the settings say, and a view without them", () => {
  const written = { "nodes.account": { form: "single", partitions: 4, retention: { time: "7d" } } };
  const overrides = readTopicOverrides(written, "rdg.config.ts");
  const topic = { name: "nodes.account", form: "updates" };
  expect(topicsOf(withOverrides(graph, overrides).model)).toContainEqual({
    ...topic,
    partitions: 4,
    retention: { timeMs: 7 * 86_400_000 },
    published: "single",
  });
  expect(topicsOf(graph.model)).toContainEqual({ ...topic, partitions: 1, retention: {} });
  expect(describeOverride(overrides.get("nodes.account")!)).toBe(
    "published as single updates, 4 partitions, kept for 7d",
  );
});

test.each([
  ["nodes.account", { partitions: 4 }, '"single" or "packed"'],
  ["nodes.account", { form: "json" }, '"single" or "packed"'],
  ["events.visit", { form: "single" }, "for type topics only"],
  ["nodes.account", { form: "single", cluster: "fronting" }, "one transaction, which cannot span clusters"],
  ["events.visit", { cluster: 1 }, "the name of a cluster"],
])("%s as %j is refused", (topic, written, reason) => {
  expect(() => readTopicOverrides({ [topic]: written }, "rdg.config.ts")).toThrowError(reason);
});

test("a topic of events is on the cluster that the settings say", () => {
  const overrides = readTopicOverrides({ "events.visit": { cluster: "fronting", partitions: 2 } }, "rdg.config.ts");
  const [topic] = topicsOf(withOverrides(graph, overrides).model);
  expect(topic).toMatchObject({ name: "events.visit", partitions: 2, cluster: "fronting" });
  expect(describeOverride(overrides.get("events.visit")!)).toBe("on the cluster fronting, 2 partitions");
});

test("a type that the definition does not have is refused", () => {
  const overrides = readTopicOverrides({ "nodes.acount": { form: "packed" } }, "rdg.config.ts");
  expect(() => withOverrides(graph, overrides)).toThrowError(/nodes\.acount/);
});
