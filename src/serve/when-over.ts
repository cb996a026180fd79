// Hot path: what is to be done once a request is over, be it answered, failed or cut off. One listener per response, however many have something to do.
import type { ServerResponse } from "node:http";

const tasks = Symbol("tasks");

interface Watched extends ServerResponse {
  [tasks]?: (() => void)[];
}

/** Calls `task` once, when the response's connection is done with it. */
export function whenOver(response: ServerResponse, task: () => void): void {
  const watched: Watched = response;
  const held = watched[tasks];
  if (held !== undefined) return void held.push(task);
  watched[tasks] = [task];
  response.on("close", runTasks);
}

function runTasks(this: Watched): void {
  const held = this[tasks]!;
  // What throws in one must not keep the others from being done; nothing here does.
  for (let i = 0; i < held.length; i++) held[i]!();
  held.length = 0;
}
