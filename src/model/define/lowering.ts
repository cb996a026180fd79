// From what callbacks built to plan.ts: identities become names and depths, contributions get their property's type, and the plan's size is bounded.
import { didYouMean } from "../../core/did-you-mean.ts";
import type { PropertyModel, ValueType } from "../definition.ts";
import type { Contribution, Emit, Expression } from "../plan.ts";
import { adapt, literal, sameType, tryAdapt } from "./adapt.ts";
import { definitionError, plainEntries, within } from "./check.ts";
import type { AnyEdge, AnyNode } from "./declaration.ts";
import { condition } from "./operators.ts";
import { symbolicOf, types, type Symbolic, type SymbolicScope } from "./symbolic.ts";
import type { UpdateData } from "./update.ts";

const emitsMax = 500;
const eachDepthMax = 8;
const whenDepthMax = 32;
const expressionsMax = 20_000;
const expressionDepthMax = 200;

/** One job's way from symbols to its plan. */
export class Lowering {
  readonly #event: object;
  /** Aliases by the token of their rows. */
  readonly #sides = new Map<object, string>();
  /** Tokens of the enclosing `each`, innermost last. */
  readonly #items: object[] = [];
  #emits = 0;
  #expressions = 0;
  /** Node and edge types in order of first mention. */
  readonly mentioned = new Set<AnyNode | AnyEdge>();

  constructor(event: object, sides: ReadonlyMap<object, string>) {
    this.#event = event;
    for (const [token, alias] of sides) this.#sides.set(token, alias);
  }

  condition(value: unknown): Expression {
    return this.#expression(condition(value));
  }

  /** A text: the id of a node, the key of a side input. */
  text(value: unknown): Expression {
    const given = symbolicOf(value) ?? literal(value);
    return this.#expression(adapt(given, types.string));
  }

  emits(updates: readonly UpdateData[], depth = 0): Emit[] {
    if (depth > whenDepthMax) {
      throw definitionError(
        "nested_too_deep",
        "when() and each() are nested too deeply.",
        `Use at most ${whenDepthMax} levels.`,
      );
    }
    return updates.map((update) => this.#emit(update, depth));
  }

  #emit(update: UpdateData, depth: number): Emit {
    if (++this.#emits > emitsMax) {
      const hint = "Split the event, or use each() over an array.";
      throw definitionError("too_many_updates", `The job emits more than ${emitsMax} updates.`, hint);
    }
    switch (update.kind) {
      case "each":
        return this.#each(update, depth);
      case "when":
        return {
          kind: "when",
          condition: this.#expression(update.condition),
          emit: this.emits(update.updates, depth + 1),
        };
      case "upsertNode":
      case "removeNode": {
        const of = update.of as AnyNode;
        this.mentioned.add(of);
        const { kind } = update;
        const id = within(`${of.name}.id`, () => this.text(update.id));
        if (kind === "removeNode") return { kind, type: of.name, id };
        return { kind, type: of.name, id, properties: this.#contributions(of, update.properties) };
      }
      case "upsertEdge":
      case "removeEdge": {
        const of = update.of as AnyEdge;
        this.mentioned.add(of);
        const { kind } = update;
        const from = within(`${of.name}.from`, () => this.text(update.from));
        const to = within(`${of.name}.to`, () => this.text(update.to));
        if (kind === "removeEdge") return { kind, type: of.name, from, to };
        return { kind, type: of.name, from, to, properties: this.#contributions(of, update.properties) };
      }
    }
  }

  #each(update: Extract<UpdateData, { kind: "each" }>, depth: number): Emit {
    if (this.#items.length >= eachDepthMax) {
      const hint = "Emit from an outer level, or flatten the event.";
      throw definitionError("nested_too_deep", `each() is nested more than ${eachDepthMax} deep.`, hint);
    }
    const array = this.#expression(update.array);
    this.#items.push(update.item);
    const emit = this.emits(update.updates, depth + 1);
    this.#items.pop();
    return { kind: "each", array, emit };
  }

  #contributions(of: AnyNode | AnyEdge, given: unknown): Contribution[] {
    if (given === undefined) return [];
    const declared = of.model.properties;
    const contributions: Contribution[] = [];
    for (const [name, value] of within(of.name, () => plainEntries(given, "The properties"))) {
      within(`${of.name}.${name}`, () => {
        const property = declared.find((candidate) => candidate.name === name);
        if (property === undefined) {
          const hint =
            didYouMean(
              name,
              declared.map((candidate) => candidate.name),
            ) || "It has no properties.";
          throw definitionError("unknown_property", `${of.name} has no property "${name}".`, hint);
        }
        if (value !== undefined)
          contributions.push({ property: name, value: this.#expression(contributed(property, value)) });
      });
    }
    return contributions;
  }

  #expression(symbolic: Symbolic, depth = 0): Expression {
    if (++this.#expressions > expressionsMax || depth > expressionDepthMax) {
      const hint = "Expressions are written out wherever they are used: build them from smaller ones.";
      throw definitionError("plan_too_large", "The job's expressions are too large.", hint);
    }
    switch (symbolic.kind) {
      case "field":
        return { ...symbolic, scope: this.#scope(symbolic.scope) };
      case "call":
        return { ...symbolic, args: symbolic.args.map((arg) => this.#expression(arg, depth + 1)) };
      default:
        return symbolic;
    }
  }

  #scope(scope: SymbolicScope): Extract<Expression, { kind: "field" }>["scope"] {
    if (scope.kind === "event" && scope.token === this.#event) return { kind: "event" };
    if (scope.kind === "side") {
      const alias = this.#sides.get(scope.token);
      if (alias !== undefined) return { kind: "side", alias };
    }
    const index = this.#items.lastIndexOf(scope.token);
    if (scope.kind === "item" && index >= 0) return { kind: "item", depth: this.#items.length - 1 - index };
    const hint =
      "Use the arguments of the function that you are in: the event, its side inputs, the items of enclosing each().";
    throw definitionError(
      "foreign_expression",
      "An expression of another job or of another each() is used here.",
      hint,
    );
  }
}

/** What is contributed to a property, with the property's type. */
function contributed(property: PropertyModel, value: unknown): Symbolic {
  const { merge, type } = property;
  if (value === null) {
    if (merge !== "sum") return { kind: "null", type };
    throw definitionError("type_mismatch", "Null cannot be added to a counter.", "Leave the property out.");
  }
  const given = symbolicOf(value);
  if (given === undefined) return literalContribution(property, value);
  if (merge !== "union" || given.type.kind !== "array") return adapt(given, type);
  const items: ValueType = { kind: "array", item: type };
  if (sameType(given.type, items)) return given;
  const hint = "Contribute the items one by one with each().";
  throw definitionError("type_mismatch", "The items of the array have another type than those of the set.", hint);
}

function literalContribution({ merge, type }: PropertyModel, value: unknown): Symbolic {
  const composed = type.kind === "array" || type.kind === "map" || type.kind === "record";
  if (composed || (Array.isArray(value) && merge === "union")) {
    const hint =
      merge === "union" ? "Give one item per upsert." : "Give a field of the event; .map() takes composed values.";
    throw definitionError("bad_literal", "An array, map or record cannot be a literal.", hint);
  }
  const given = literal(value);
  return tryAdapt(given, type) ?? adapt(given, type);
}
