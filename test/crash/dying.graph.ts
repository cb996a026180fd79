// A definition whose job ends the thread that runs it when an event says so.
import { defineGraph, event, job, node, t } from "rdg";

const step = event("step", { key: "id", time: "at", fields: { id: t.string(), at: t.timestamp() } });
const thing = node("thing");

const fromStep = job(step, { window: "50ms" }).map(({ id }) => {
  if (id === "exit") process.exit(3);
  if (id === "throw") queueMicrotask(() => void Promise.reject(new Error("the thread's own mistake")));
  return [thing.upsert(id)];
});

export default defineGraph("dying", { jobs: [fromStep], nodes: [thing] });
