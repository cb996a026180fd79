// Each compatibility asks whether records can be read in its direction.
import { expect, test } from "vitest";
import { evolutionProblems } from "./compatibility.ts";

const record = (fields: object[]): object => ({ type: "record", name: "R", fields });
const field = (name: string, type: unknown): object => ({ name, type });

test("each compatibility looks in its direction", () => {
  const before = JSON.stringify(record([field("a", "int"), field("b", "int")]));
  const removed = JSON.stringify(record([field("a", "int")]));
  const widened = JSON.stringify(record([field("a", "long"), field("b", "int")]));
  expect(evolutionProblems(removed, before, "NONE")).toEqual([]);
  expect(evolutionProblems(removed, before, "BACKWARD")).toEqual([]);
  expect(evolutionProblems(removed, before, "FORWARD_TRANSITIVE")).toEqual([
    "earlier readers cannot read new records: b: the field was not written and has no default",
  ]);
  expect(evolutionProblems(before, removed, "BACKWARD")).toEqual([
    "the new schema cannot read earlier records: b: the field was not written and has no default",
  ]);
  expect(evolutionProblems(widened, before, "FULL")).toEqual([
    "earlier readers cannot read new records: a: int cannot read long",
  ]);
});
