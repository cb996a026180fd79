// The WHERE of a query text: comparisons on named nodes and edges, combined by AND, OR, NOT and parentheses.
import type { Comparisons, Condition } from "../../model/traversal.ts";
import type { TokenReader } from "./token-reader.ts";

const depthMax = 40;
const operators: Readonly<Record<string, keyof Comparisons>> = {
  "=": "equals",
  "<": "lt",
  "<=": "lte",
  ">": "gt",
  ">=": "gte",
};

/** Where a name of the text stands for a node (`hop` undefined: the start) or an edge of the path. */
export interface Variable {
  readonly hop: number | undefined;
  readonly of: "edge" | "node";
}

/** What was read, by precedence: OR, AND, NOT. `true` is about anything. */
type Expression =
  | { readonly kind: "and" | "or"; readonly parts: readonly Expression[]; readonly at: number }
  | { readonly kind: "not"; readonly inner: Expression; readonly at: number }
  | { readonly kind: "true"; readonly at: number }
  | { readonly kind: "test"; readonly variable: Variable; readonly condition: Condition; readonly at: number };

export class ConditionParser {
  private readonly reader: TokenReader;
  private readonly variables: ReadonlyMap<string, Variable>;

  constructor(reader: TokenReader, variables: ReadonlyMap<string, Variable>) {
    this.reader = reader;
    this.variables = variables;
  }

  /** The parts that AND joins at the top; each is about one node or edge of the path. */
  conjuncts(): { readonly variable: Variable; readonly condition: Condition }[] {
    return conjunctsOf(this.expression(1)).map((part) => {
      const variable = this.variableOf(part);
      if (variable === undefined)
        throw this.reader.errorAt(part.at, "This part of WHERE is about no node or edge.", "Leave it out.");
      return { variable, condition: jsonOf(part) };
    });
  }

  private variableOf(expression: Expression): Variable | undefined {
    if (expression.kind === "true") return undefined;
    if (expression.kind === "test") return expression.variable;
    if (expression.kind === "not") return this.variableOf(expression.inner);
    let variable: Variable | undefined;
    for (const part of expression.parts) {
      const next = this.variableOf(part);
      if (variable && next && (variable.hop !== next.hop || variable.of !== next.of)) {
        const hint = "Conditions on different nodes and edges can be joined by AND at the top only.";
        throw this.reader.errorAt(
          part.at,
          "This part is about another node or edge than the part it is joined with.",
          hint,
        );
      }
      variable ??= next;
    }
    return variable;
  }

  private expression(depth: number): Expression {
    return this.joined("or", () => this.joined("and", () => this.negation(depth)));
  }

  private joined(kind: "and" | "or", part: () => Expression): Expression {
    const first = part();
    if (!this.reader.seesWord(kind)) return first;
    const parts = [first];
    while (this.reader.word(kind)) parts.push(part());
    return { kind, parts, at: first.at };
  }

  private negation(depth: number): Expression {
    const { reader } = this;
    const { at } = reader.token;
    if (depth > depthMax) throw reader.error("Conditions are nested too deep here.");
    const isName = reader.following.text === ".";
    if (!isName && reader.word("not")) return { kind: "not", inner: this.negation(depth + 1), at };
    if (!isName && reader.word("true")) return { kind: "true", at };
    if (reader.take("(")) {
      const inner = this.expression(depth + 1);
      reader.expect(")", "Expected ), AND or OR.");
      return inner;
    }
    return this.test();
  }

  private test(): Expression {
    const { reader } = this;
    const { at } = reader.token;
    if (reader.seesWord("exists") && reader.following.text === "(") {
      reader.next();
      reader.expect("(", "Expected (.");
      const { variable, key } = this.property();
      reader.expect(")", "Expected ).");
      return test(variable, key, { present: true }, at);
    }
    const { variable, key } = this.property();
    if (reader.word("in")) return test(variable, key, { in: reader.list() as string[] }, at);
    if (reader.word("starts")) {
      if (!reader.word("with")) throw reader.error("Expected WITH after STARTS.");
      return test(variable, key, { prefix: reader.value() as string }, at);
    }
    if (reader.take("<>")) return { kind: "not", inner: test(variable, key, { equals: this.scalar() }, at), at };
    const operator = reader.token.kind === "sign" ? operators[reader.token.text] : undefined;
    if (operator === undefined) {
      throw reader.error("Expected a comparison.", "Comparisons are = <> < <= > >=, IN [...] and STARTS WITH '...'.");
    }
    reader.next();
    return test(variable, key, { [operator]: this.scalar() }, at);
  }

  private property(): { readonly variable: Variable; readonly key: string } {
    const { reader } = this;
    const name = reader.name("a condition such as w.plays >= 2");
    const variable = this.variables.get(name.text);
    if (variable === undefined) {
      const hint =
        this.variables.size === 0
          ? "Name nodes and edges in the path: [w:watched], (t:title)."
          : `Named are: ${[...this.variables.keys()].join(", ")}.`;
      throw reader.errorAt(name.at, `Nothing in the path is named "${name.text}".`, hint);
    }
    if (variable.hop === undefined) {
      throw reader.errorAt(name.at, "The start cannot be filtered.", "It is chosen by its ids.");
    }
    reader.expect(".", "Expected . and a property.");
    return { variable, key: propertyKey(reader.name("the name of a property").text) };
  }

  private scalar(): string {
    const { at } = this.reader.token;
    const value = this.reader.value();
    if (typeof value === "object") throw this.reader.errorAt(at, "Expected one value.", "Lists go with IN.");
    return value as string;
  }
}

function test(variable: Variable, key: string, comparisons: Comparisons, at: number): Expression {
  return { kind: "test", variable, condition: Object.fromEntries([[key, comparisons]]), at };
}

function conjunctsOf(expression: Expression): readonly Expression[] {
  return expression.kind === "and" ? expression.parts.flatMap(conjunctsOf) : [expression];
}

function jsonOf(expression: Expression): Condition {
  switch (expression.kind) {
    case "true":
      return {};
    case "test":
      return expression.condition;
    case "not":
      return { not: jsonOf(expression.inner) };
    default:
      return { [expression.kind]: expression.parts.map(jsonOf) };
  }
}

/** The text has operators of its own, so a name is always a property, in JSON with a dot where it is a reserved word. */
export function propertyKey(name: string): string {
  return ["and", "or", "not"].includes(name) ? `.${name}` : name;
}

/** All of the conditions as one. */
export function conditionOf(conditions: readonly Condition[]): Condition {
  return conditions.length === 1 ? conditions[0]! : { and: conditions };
}
