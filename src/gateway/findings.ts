// What is wrong with the records of one request: every problem counted, the first of them listed, every bad record's place kept for the quarantine.
import { type RecordProblem, problemsListedMax } from "./port.ts";

export interface BadRecord {
  readonly index: number;
  /** Where its bytes lie in the request's body. */
  readonly start: number;
  readonly end: number;
  /** The first of its problems. */
  readonly problem: RecordProblem;
}

/** A problem before it is known which record has it. `field` is empty when the whole record is meant. */
export interface Finding {
  readonly field: string;
  readonly code: string;
  readonly reason: string;
}

export class Findings {
  readonly problems: RecordProblem[] = [];
  readonly records: BadRecord[] = [];
  problemCount = 0;

  add(index: number, start: number, end: number, findings: readonly Finding[]): void {
    const problems = findings.map((finding) => problemOf(index, finding));
    this.problemCount += problems.length;
    this.problems.push(...problems.slice(0, problemsListedMax - this.problems.length));
    this.records.push({ index, start, end, problem: problems[0]! });
  }
}

function problemOf(index: number, { field, code, reason }: Finding): RecordProblem {
  return field === "" ? { index, code, reason } : { index, field, code, reason };
}
