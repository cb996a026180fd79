// An event and a node with a field of every type, for tests of definitions, and how the plan of a job reads in one line.
import { node } from "../../src/model/define/element.ts";
import { event } from "../../src/model/define/event.ts";
import { t } from "../../src/model/define/field.ts";
import type { JobDef } from "../../src/model/define/job.ts";
import type { Emit, Expression } from "../../src/model/plan.ts";

export const at = t.timestamp();

export const order = event("order", {
  key: "id",
  time: "at",
  fields: {
    id: t.string(),
    at,
    kind: t.enum("a", "b"),
    other: t.enum("b", "a", "c").optional(),
    small: t.int32(),
    big: t.int64(),
    weight: t.double(),
    express: t.boolean().optional(),
    tags: t.array(t.string()),
    address: t.record({ city: t.string(), geo: t.record({ lat: t.double() }) }),
    lines: t.array(t.record({ sku: t.string(), quantity: t.int32(), parts: t.array(t.string()) })),
  },
});

export const thing = node("thing", {
  text: t.string(),
  kind: t.enum("a", "b", "c"),
  small: t.int32(),
  big: t.int64(),
  weight: t.double(),
  time: t.timestamp(),
  flag: t.boolean(),
  blob: t.bytes(),
  n: t.counter(),
  tags: t.set(t.string(), { sizeMax: 8 }),
  place: t.record({ city: t.string(), geo: t.record({ lat: t.double() }) }),
});

export const emitOf = (definition: JobDef): readonly Emit[] => {
  const { output } = definition.model;
  return output.kind === "emit" ? output.emit : [];
};

export function brief(expression: Expression): string {
  switch (expression.kind) {
    case "literal":
      return `${typeof expression.value === "string" && expression.type.kind !== "int64" ? JSON.stringify(expression.value) : expression.value}:${expression.type.kind}`;
    case "null":
      return `null:${expression.type.kind}`;
    case "field":
      return `${scopeOf(expression.scope)}${expression.path.join(".")}`;
    case "call":
      return `${expression.function}(${expression.args.map(brief).join(", ")})`;
  }
}

export function scopeOf(scope: Extract<Expression, { kind: "field" }>["scope"]): string {
  if (scope.kind === "event") return "";
  return scope.kind === "side" ? `${scope.alias}:` : `item${scope.depth}:`;
}
