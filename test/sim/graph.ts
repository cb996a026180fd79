// The definition that simulations run: two jobs that write to the same nodes and edges, under every policy that would show a lost, doubled or reordered event.
import { count, defineGraph, edge, event, type Graph, job, node, sideInput, t, when } from "rdg";

export interface GraphSettings {
  readonly partitions: number;
  readonly horizonMs: number;
  readonly windowMs: number;
  readonly windowKeys: number;
  readonly windowBytes: number;
}

const made = new Map<string, Graph>();

/** With `evolved`, events and rows have one more field: the definition after an upgrade. */
export function simulatedGraph(settings: GraphSettings, evolved: boolean): Graph {
  const key = JSON.stringify([settings, evolved]);
  const graph = made.get(key) ?? define(settings, evolved);
  made.set(key, graph);
  return graph;
}

function define(settings: GraphSettings, evolved: boolean): Graph {
  const more = evolved ? { note: t.string().optional() } : {};
  const play = event("play", {
    key: "member",
    time: "at",
    id: "playId",
    dedupHorizon: `${settings.horizonMs}ms`,
    partitions: settings.partitions,
    fields: {
      playId: t.string(),
      member: t.string(),
      title: t.string(),
      device: t.string().optional(),
      seconds: t.int64(),
      tags: t.array(t.string()),
      at: t.timestamp(),
      ...more,
    },
  });
  // Without an id: whoever sends one twice means it twice.
  const leave = event("leave", {
    key: "member",
    time: "at",
    partitions: 1,
    fields: { leaveId: t.string(), member: t.string(), title: t.string().optional(), at: t.timestamp(), ...more },
  });
  const titles = sideInput("titles", { key: "title", fields: { title: t.string(), name: t.string(), ...more } });

  const receipt = node("receipt", { times: t.counter(), title: t.string() });
  const member = node("member", {
    events: t.counter(),
    seconds: t.int64().merge("sum"),
    title: t.string(),
    device: t.string().merge("first"),
  });
  const title = node("title", { plays: t.counter(), names: t.set(t.string(), { sizeMax: 3 }) });
  const played = edge("played", member, title, {
    properties: { times: t.counter(), last: t.int64(), most: t.int64().merge("max"), least: t.int64().merge("min") },
  });
  const tag = node("tag", { uses: t.counter() });
  const tagged = edge("tagged", title, tag, { properties: { times: t.counter() } });

  const options = {
    window: `${settings.windowMs}ms`,
    windowKeys: settings.windowKeys,
    windowBytes: settings.windowBytes,
  } as const;
  const fromPlay = job(play, options)
    .where((e) => e.seconds.gte(0))
    .enrich({ known: titles.by((e) => e.title) })
    .emit((e, { known }) => [
      receipt.upsert(e.playId, { times: count(1), title: known.name }),
      member.upsert(e.member, { events: count(1), seconds: e.seconds, title: known.name, device: e.device }),
      title.upsert(e.title, { plays: count(1), names: known.name }),
      played.upsert(e.member, e.title, { times: count(1), last: e.seconds, most: e.seconds, least: e.seconds }),
      when(e.device.isPresent(), [member.upsert(e.device, { events: count(1) })]),
      e.tags.each((each) => [tag.upsert(each, { uses: count(1) }), tagged.upsert(e.title, each, { times: count(1) })]),
    ]);
  const fromLeave = job(leave, options).emit((e) => [
    receipt.upsert(e.leaveId, { times: count(1) }),
    when(e.title.isPresent(), [played.remove(e.member, e.title)]),
    when(e.title.isAbsent(), [member.remove(e.member)]),
    member.upsert(e.member, { events: count(1) }),
  ]);
  return defineGraph("simulated", { jobs: [fromPlay, fromLeave] });
}
