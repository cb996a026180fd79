// What users import in their own tests.
export { GraphTest, type TestElement, type TestOutcome } from "./graph-test.ts";
