// Where RDG keeps its log itself, nobody else has topics there: events and rows that teams have elsewhere come through the gateway, as all others do.
import type { Graph } from "../index.ts";
import type { EventModel, SideInputModel } from "../model/definition.ts";

export function withoutSources(graph: Graph): Graph {
  const events = graph.model.events.map((event): EventModel => {
    const { source: _, ...rest } = event;
    return rest;
  });
  const sideInputs = graph.model.sideInputs.map((input): SideInputModel => {
    const { source: _, partitions: _partitions, ...rest } = input;
    return rest;
  });
  return { ...graph, model: { ...graph.model, events, sideInputs } };
}
