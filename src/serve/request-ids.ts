// What a request is called in logs, audits and traces: the caller's own x-request-id where it is usable, else one of ours. It goes back with the answer.
import type { IncomingMessage } from "node:http";
import { randomId } from "../core/random.ts";

const usable = /^[\w.:/+=@-]{1,128}$/;

/** Names requests of one server: unique among servers by their beginning, and in it by a number. Told what came as the caller's own name. */
export function requestNames(): (given: unknown) => string {
  const prefix = `${randomId().slice(0, 10)}-`;
  let count = 0;
  return (given) => (typeof given === "string" && usable.test(given) ? given : prefix + (++count).toString(36));
}

export function requestIds(): (request: IncomingMessage) => string {
  const nameOf = requestNames();
  return ({ headers }) => nameOf(headers["x-request-id"]);
}
