import { didYouMean } from "../../core/did-you-mean.ts";
// The objects behind the interfaces of expression.ts: expressions with the methods of their type, rows with a property per field.
//
// A field may have any name (`then`, `constructor`, `__proto__`): rows have no prototype and fields are own properties, so that nothing else can be met
// under a field's name. What an object stands for is kept under a symbol, which no field can be called.
import type { FieldModel, ValueType } from "../definition.ts";
import { definitionError } from "./check.ts";
import { methodsOf, type Methods } from "./operators.ts";
import { expressionKey, symbolicOf, type Symbolic, type SymbolicScope } from "./symbolic.ts";
import { makeUpdate, updateData, type Update, type UpdateData } from "./update.ts";

type Expressing = { readonly [expressionKey]: Symbolic };

const prototypes = new Map<string, object>(
  Object.entries(methodsOf).map(([kind, methods]) => [kind, prototypeOf(kind, methods)]),
);

export function expressionOf(symbolic: Symbolic): object {
  if (symbolic.type.kind === "record") return recordOf(symbolic, symbolic.type.fields);
  const object: object = Object.create(prototypes.get(symbolic.type.kind)!) as object;
  Object.defineProperty(object, expressionKey, { value: Object.freeze(symbolic) });
  return Object.freeze(object);
}

/** The fields of an event, or of a side input's row. */
export function rowOf(scope: SymbolicScope, fields: readonly FieldModel[], what: string): object {
  return guarded(withFields(Object.create(null) as object, scope, [], fields), what);
}

/** Own properties only, and a clear error for any other name. */
function guarded(target: object, what: string): object {
  return new Proxy(Object.freeze(target), {
    get(row, name): unknown {
      if (typeof name === "symbol" || Object.hasOwn(row, name)) return Reflect.get(row, name);
      // Asked for by `await` and JSON.stringify of whatever they are given.
      if (name === "then" || name === "toJSON") return undefined;
      throw definitionError("unknown_field", `There is no "${name}" in ${what}.`, didYouMean(name, Object.keys(row)));
    },
  });
}

function withFields(
  target: object,
  scope: SymbolicScope,
  path: readonly string[],
  fields: readonly FieldModel[],
): object {
  for (const { name, type } of fields) {
    const value = expressionOf({ kind: "field", scope, path: [...path, name], type });
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true });
  }
  return target;
}

/** Fields hide methods of the same name. */
function recordOf(symbolic: Symbolic, fields: readonly FieldModel[]): object {
  const target: object = Object.create(null) as object;
  for (const [name, method] of Object.entries(prototypes.get("record")!)) {
    Object.defineProperty(target, name, { value: method, configurable: true });
  }
  Object.defineProperty(target, expressionKey, { value: Object.freeze(symbolic) });
  Object.defineProperty(target, Symbol.toPrimitive, { value: refuseAsValue });
  if (symbolic.kind === "field") withFields(target, symbolic.scope, symbolic.path, fields);
  return guarded(
    target,
    symbolic.kind === "field" ? `the record ${symbolic.path.at(-1) ?? "item"}` : "a computed record",
  );
}

function prototypeOf(kind: string, methods: Methods): object {
  const prototype: object = Object.create(null) as object;
  for (const [name, method] of Object.entries(methods)) {
    const value = function (this: Expressing, ...args: unknown[]): object {
      return expressionOf(method(this[expressionKey], ...args));
    };
    Object.defineProperty(prototype, name, { value, enumerable: true });
  }
  if (kind === "array") Object.defineProperty(prototype, "each", { value: each });
  Object.defineProperty(prototype, Symbol.toPrimitive, { value: refuseAsValue });
  return prototype;
}

/** Template texts, `+` and `<` would otherwise compute with "[object Object]" once, when the job is defined. */
function refuseAsValue(): never {
  const hint = "Use its methods: .concat(...), .add(...), .gt(...).";
  throw definitionError(
    "expression_as_value",
    "An expression is not a value: it stands for one of every event to come.",
    hint,
  );
}

function each(this: Expressing, emit: unknown): Update {
  const array = this[expressionKey];
  if (typeof emit !== "function") {
    throw definitionError("not_a_function", "each() takes a function.", "Write e.lines.each((line) => [ ... ]).");
  }
  const token = {};
  const updates = updatesOf(emit(itemOf(token, array.type)), "each()");
  return makeUpdate({ kind: "each", array, item: token, updates });
}

function itemOf(token: object, type: ValueType): object {
  if (type.kind !== "array") throw definitionError("not_an_array", "each() is for arrays.", "Use an array field.");
  return expressionOf({ kind: "field", scope: { kind: "item", token }, path: [], type: type.item });
}

/** The updates that a callback returned, nested arrays flattened. */
export function updatesOf(value: unknown, what: string): readonly UpdateData[] {
  if (!Array.isArray(value)) {
    const hint =
      value instanceof Promise
        ? "It is called once, when the job is defined, and cannot wait: leave out async."
        : "Return an array: [account.upsert(e.accountId)].";
    throw definitionError("no_updates", `The function of ${what} returned no array of updates.`, hint);
  }
  return value.flat(16).map((element) => {
    const data = updateData(element);
    if (data !== undefined) return data;
    const shown = symbolicOf(element) === undefined ? typeof element : "an expression";
    const hint = "Updates are made by upsert(), remove(), each() and when(condition, [updates]).";
    throw definitionError("not_an_update", `The function of ${what} returned ${shown} among its updates.`, hint);
  });
}
