// The named steps at which a process can be killed, and which change of a file belongs to which.
import type { FileOperation } from "./file-hooks.ts";

/** Steps that are changes of files, by what of the data folder they change; the first that matches counts. */
const fileSteps = [
  ["lock", /^\w+ log\/lock/],
  ["metadata", /^\w+ log\/metadata/],
  ["cut-tail", /^truncate log\/(records|journal)\/|\.cut-\d+(\.new)?$/],
  ["retention", /^remove log\/.*\.(segment|index)$/],
  ["compaction", /^\w+ log\/records\/.*-\d+\.(segment|index)(\.new)?$/],
  ["index", /\.index(\.new)?$/],
  ["roll", /^\w+ log\/records\/.*\.segment\.new$/],
  ["journal-roll", /^\w+ log\/journal\/.*\.segment\.new$/],
  ["append", /^write log\/records\//],
  ["append-sync", /^sync log\/records\//],
  ["transaction", /^write log\/journal\//],
  ["transaction-sync", /^sync log\/journal\//],
  ["log-folder", /^\w+ log(\/|$)/],
  ["checkpoint-cleanup", /^remove store\//],
  ["checkpoint-pages", /^\w+ store\/pages-/],
  ["checkpoint-rename", /^(rename|syncFolder) store/],
  ["checkpoint-manifest", /^\w+ store\/checkpoint-/],
  ["registry", /^\w+ schemas/],
  ["keys", /^\w+ keys/],
  ["definition", /^\w+ (definition\.json|$)/],
] as const;

/** `start-up` and `shut-down` are any change of a file in that time. */
const otherSteps = ["window-flush", "store-apply", "purge", "start-up", "shut-down"] as const;

export type StepName = (typeof fileSteps)[number][0] | (typeof otherSteps)[number];

export const stepNames: readonly StepName[] = [...fileSteps.map(([name]) => name), ...otherSteps];

export function stepOf({ name, path }: FileOperation): StepName | undefined {
  const text = `${name} ${path}`;
  return fileSteps.find(([, pattern]) => pattern.test(text))?.[0];
}

/** Before the step happens, in the midst of it (writes only), and after it happened but before anybody was told. */
export type Moment = "before" | "middle" | "after";

const withoutMiddle: readonly StepName[] = [
  "retention",
  "append-sync",
  "transaction-sync",
  "log-folder",
  "checkpoint-cleanup",
  "checkpoint-rename",
];

export function momentsOf(step: StepName): readonly Moment[] {
  return withoutMiddle.includes(step) ? ["before", "after"] : ["before", "middle", "after"];
}

/** Kill at the `hit`-th time that the step comes to this moment, from 1. */
export interface KillPlan {
  readonly step: StepName;
  readonly moment: Moment;
  readonly hit: number;
}
