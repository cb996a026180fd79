// Expressions as they are built: those of plan.ts, but what they read is named by identity, so that an expression of another job or `each` is recognised.
import type { ScalarType, ValueType } from "../definition.ts";
import type { FunctionName } from "../plan.ts";

/** `token` is one object per job (event), per enriched alias (side) and per `each` (item). */
export type SymbolicScope =
  | { readonly kind: "event"; readonly token: object }
  | { readonly kind: "side"; readonly token: object; readonly alias: string }
  | { readonly kind: "item"; readonly token: object };

export type Symbolic =
  | {
      readonly kind: "field";
      readonly scope: SymbolicScope;
      readonly path: readonly string[];
      readonly type: ValueType;
    }
  | { readonly kind: "literal"; readonly value: string | number | boolean; readonly type: ScalarType }
  | { readonly kind: "null"; readonly type: ValueType }
  | {
      readonly kind: "call";
      readonly function: FunctionName;
      readonly args: readonly Symbolic[];
      readonly type: ValueType;
    };

/** The expression behind an object that a callback works with; other copies of this package find it too. */
export const expressionKey = Symbol.for("rdg.expression/1");

/** Undefined when the value is no expression. */
export function symbolicOf(value: unknown): Symbolic | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { [expressionKey]?: Symbolic })[expressionKey];
}

export const types = {
  string: { kind: "string" },
  int64: { kind: "int64" },
  double: { kind: "double" },
  boolean: { kind: "boolean" },
  timestamp: { kind: "timestamp" },
} as const satisfies Record<string, ScalarType>;

export function call(name: FunctionName, args: readonly Symbolic[], type: ValueType): Symbolic {
  return { kind: "call", function: name, args, type };
}
