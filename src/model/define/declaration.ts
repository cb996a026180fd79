// What all declarations have in common: their models, how they are recognised, and durations in their options.
import { parseDuration } from "../../core/units.ts";
import type { EdgeModel, EventModel, NodeModel, SideInputModel } from "../definition.ts";
import { deepFreeze, definitionError } from "./check.ts";

/** A number and a unit: `250ms`, `10s`, `5m`, `6h`, `30d`. */
export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** Marks declarations, so that those of another copy of this package are known too. */
const declarationKey = Symbol.for("rdg.declaration/1");

export interface AnyEvent {
  readonly kind: "event";
  readonly name: string;
  readonly model: EventModel;
}
export interface AnySideInput {
  readonly kind: "sideInput";
  readonly name: string;
  readonly model: SideInputModel;
}
export interface AnyNode {
  readonly kind: "node";
  readonly name: string;
  readonly model: NodeModel;
}
export interface AnyEdge {
  readonly kind: "edge";
  readonly name: string;
  readonly from: AnyNode;
  readonly to: AnyNode;
  readonly model: EdgeModel;
}
export type Declaration = AnyEvent | AnySideInput | AnyNode | AnyEdge;

/** Brands and freezes a declaration. */
export function declare<D extends Declaration>(declaration: D): D {
  deepFreeze(declaration.model);
  Object.defineProperty(declaration, declarationKey, { value: true });
  return Object.freeze(declaration);
}

export function declarationOf<K extends Declaration["kind"]>(
  value: unknown,
  kind: K,
): Extract<Declaration, { kind: K }> | undefined {
  if (typeof value !== "object" || value === null || !(declarationKey in value)) return undefined;
  const declaration = value as unknown as Declaration;
  return declaration.kind === kind ? (declaration as Extract<Declaration, { kind: K }>) : undefined;
}

export function durationMs(text: unknown, place: string): number {
  return parseDuration(typeof text === "string" ? text : String(text), place);
}

/** A duration above zero. */
export function positiveMs(text: unknown, place: string): number {
  const duration = durationMs(text, place);
  if (duration > 0) return duration;
  throw definitionError("out_of_range", `"${String(text)}" is no time at all.`, "Give a duration above zero.", place);
}
