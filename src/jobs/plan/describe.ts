// Prints a job's plan for people: one line per step and emit, expressions as they would be written by hand.
import type { JobModel } from "../../model/definition.ts";
import type { Contribution, Emit, Expression, FunctionName } from "../../model/plan.ts";

/** The plan as text; lines end with "\n". */
export function describePlan(job: JobModel): string {
  const lines = [`job ${name(job.event)}`];
  for (const step of job.steps) {
    if (step.kind === "where") lines.push(`  where  ${text(step.condition, [])}`);
    else lines.push(`  enrich ${name(step.alias)} = ${name(step.input)}[${text(step.key, [])}]`);
  }
  if (job.output.kind === "emit") describeEmits(job.output.emit, [], "  ", lines);
  else lines.push("  map    a TypeScript function (runs embedded and on Kafka workers; Flink cannot run it)");
  return `${lines.join("\n")}\n`;
}

/** `items` are the names of the enclosing arrays' items, innermost first. */
function describeEmits(emits: readonly Emit[], items: readonly string[], indent: string, lines: string[]): void {
  for (const emit of emits) {
    switch (emit.kind) {
      case "upsertNode":
        lines.push(`${indent}upsert ${name(emit.type)}(${text(emit.id, items)})${properties(emit.properties, items)}`);
        break;
      case "removeNode":
        lines.push(`${indent}remove ${name(emit.type)}(${text(emit.id, items)})`);
        break;
      case "upsertEdge":
        lines.push(`${indent}upsert ${edge(emit, items)}${properties(emit.properties, items)}`);
        break;
      case "removeEdge":
        lines.push(`${indent}remove ${edge(emit, items)}`);
        break;
      case "when":
        lines.push(`${indent}when   ${text(emit.condition, items)}`);
        describeEmits(emit.emit, items, `${indent}  `, lines);
        break;
      case "each": {
        const item = items.length === 0 ? "item" : `item${items.length + 1}`;
        lines.push(`${indent}each   ${item} of ${text(emit.array, items)}`);
        describeEmits(emit.emit, [item, ...items], `${indent}  `, lines);
        break;
      }
    }
  }
}

function edge(
  emit: { readonly type: string; readonly from: Expression; readonly to: Expression },
  items: readonly string[],
): string {
  return `${name(emit.type)}(${text(emit.from, items)} -> ${text(emit.to, items)})`;
}

function properties(contributions: readonly Contribution[], items: readonly string[]): string {
  if (contributions.length === 0) return "";
  return ` { ${contributions.map(({ property, value }) => `${name(property)}: ${text(value, items)}`).join(", ")} }`;
}

const operators: Partial<Record<FunctionName, readonly [string, number]>> = {
  or: ["or", 1],
  and: ["and", 2],
  equals: ["=", 4],
  gt: [">", 4],
  gte: [">=", 4],
  lt: ["<", 4],
  lte: ["<=", 4],
  add: ["+", 5],
  plus: ["+", 5],
  subtract: ["-", 5],
  multiply: ["*", 6],
  div: ["div", 6],
  rem: ["rem", 6],
  divide: ["/", 6],
};

/** `binding` is how tightly what stands around it binds: a looser operator gets brackets. */
function text(expression: Expression, items: readonly string[], binding = 0): string {
  switch (expression.kind) {
    case "field":
      return field(expression, items);
    case "literal":
      return typeof expression.value === "string" && expression.type.kind !== "int64"
        ? JSON.stringify(expression.value)
        : String(expression.value);
    case "null":
      return "null";
    case "call":
      return call(expression, items, binding);
  }
}

function field(expression: Expression & { readonly kind: "field" }, items: readonly string[]): string {
  const { scope, path } = expression;
  const root =
    scope.kind === "event" ? "e" : scope.kind === "side" ? name(scope.alias) : (items[scope.depth] ?? "item");
  return [root, ...path.map(name)].join(".");
}

function call(expression: Expression & { readonly kind: "call" }, items: readonly string[], binding: number): string {
  const { args } = expression;
  const operator = operators[expression.function];
  const of = (index: number, around = 0): string => text(args[index]!, items, around);
  const bracketed = (written: string, own: number): string => (own < binding ? `(${written})` : written);
  if (operator !== undefined && args.length > 1) {
    const [sign, own] = operator;
    // Brackets around what follows an operator of the same rank: a - (b - c).
    return bracketed(
      args.map((arg, i) => text(arg, items, i === 0 && own !== 4 ? own : own + 1)).join(` ${sign} `),
      own,
    );
  }
  switch (expression.function) {
    case "isPresent":
      return bracketed(`${of(0, 5)} is present`, 4);
    case "isAbsent":
      return bracketed(`${of(0, 5)} is absent`, 4);
    case "not":
      return bracketed(`not ${of(0, 3)}`, 3);
    case "in": {
      const values = args.slice(1).map((arg) => text(arg, items));
      return bracketed(`${of(0, 5)} in (${values.join(", ")})`, 4);
    }
    case "choose":
      return `(${of(1, 1)} if ${of(0, 1)}${args.length > 2 ? ` else ${of(2, 1)}` : ""})`;
    default:
      return `${expression.function}(${args.map((arg) => text(arg, items)).join(", ")})`;
  }
}

/** A name of the user: as it is when it looks like one, else quoted. */
function name(given: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/u.test(given) ? given : JSON.stringify(given);
}
