// From a CloudEvent to a record of an event: type names the event; id and time fill the fields that the event declares for them, where the data does not.
import { didYouMean } from "../../core/did-you-mean.ts";
import { parseTimestamp } from "../../model/avro/json-values.ts";
import type { EventModel } from "../../model/definition.ts";
import { type CloudEvent, type EventProblem, isJsonType } from "./cloud-event.ts";

export type Mapped = { readonly event: string; readonly line: string } | { readonly problem: EventProblem };

/** The specification's required attributes; all are non-empty texts. */
const required = ["specversion", "id", "source", "type"] as const;

export class EventMapping {
  readonly #events: ReadonlyMap<string, EventModel>;

  constructor(events: readonly EventModel[]) {
    this.#events = new Map(events.map((event) => [event.name, event]));
  }

  map(cloudEvent: CloudEvent): Mapped {
    const { attributes } = cloudEvent;
    const problem = cloudEvent.problem ?? attributeProblem(attributes);
    if (problem !== undefined) return { problem };
    const type = attributes.get("type") as string;
    const event = this.#events.get(type.slice(type.lastIndexOf(".") + 1));
    if (event === undefined) return { problem: this.#unknownType(type) };
    const { data } = cloudEvent;
    if (!isJsonType(attributes.get("datacontenttype"))) {
      const reason = "the data of an event is JSON: application/json, or a type that ends with +json";
      return { problem: { code: "unsupported_data", reason, field: "datacontenttype" } };
    }
    if (data !== undefined && "bytes" in data) return { problem: { code: "bad_data", reason: "the data is not JSON" } };
    const fields = data?.json ?? {};
    if (typeof fields !== "object" || Array.isArray(fields)) {
      return { problem: { code: "bad_data", reason: "the data is not an object with the event's fields" } };
    }
    return lineOf(event, fields as Readonly<Record<string, unknown>>, attributes);
  }

  #unknownType(type: string): EventProblem {
    const names = [...this.#events.keys()];
    const reason = `no event is called "${type.slice(0, 100)}", nor what follows its last dot. ${didYouMean(type, names)}`;
    return { code: "unknown_event", reason, field: "type" };
  }
}

function attributeProblem(attributes: CloudEvent["attributes"]): EventProblem | undefined {
  for (const name of required) {
    const value = attributes.get(name);
    if (value === undefined)
      return { code: "missing_attribute", reason: `the attribute ${name} is missing`, field: name };
    if (typeof value !== "string" || value === "") {
      return { code: "bad_attribute", reason: `the attribute ${name} is a text that is not empty`, field: name };
    }
  }
  if (attributes.get("specversion") !== "1.0") {
    return { code: "bad_attribute", reason: "only specversion 1.0 is understood", field: "specversion" };
  }
  const time = attributes.get("time");
  if (time !== undefined && timeOf(time) === undefined) {
    return { code: "bad_attribute", reason: "the attribute time is no RFC 3339 time", field: "time" };
  }
  return undefined;
}

/** RFC 3339 allows small letters and any number of digits. */
function timeOf(time: unknown): string | undefined {
  if (typeof time !== "string") return undefined;
  const plain = time.toUpperCase().replace(/(\.\d{9})\d+/, "$1");
  return parseTimestamp(plain) === undefined ? undefined : plain;
}

/** One line of JSON as the gateway takes it. */
function lineOf(
  { name, id, time }: EventModel,
  fields: Readonly<Record<string, unknown>>,
  attributes: CloudEvent["attributes"],
): Mapped {
  const added: Record<string, unknown> = {};
  if (id !== undefined && lacks(fields, id)) added[id] = attributes.get("id");
  if (attributes.has("time") && lacks(fields, time)) added[time] = timeOf(attributes.get("time"));
  let isFinite = true;
  const line = JSON.stringify({ ...fields, ...added }, (_, value: unknown) => {
    // A number that is too large for JavaScript would become null, and be stored as absent.
    if (typeof value === "number" && !Number.isFinite(value)) isFinite = false;
    return value;
  });
  if (isFinite) return { event: name, line };
  return { problem: { code: "not_finite", reason: "a number of the data is too large" } };
}

function lacks(fields: Readonly<Record<string, unknown>>, name: string): boolean {
  return !Object.hasOwn(fields, name) || fields[name] === null;
}
