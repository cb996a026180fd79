// Explanations for people at a terminal: per hop what is walked by which rules and from where they came, what is passed by and why, and what each level cost.
import type { BranchExplanation, Explanation, HopExplanation, LevelProfile } from "../model/traversal.ts";
import { type Paint, type RenderOptions, painter, plain, shortTime } from "./render.ts";

/** With `profile` also a row of figures per level, and the totals. */
export function renderExplanation(explanation: Explanation, options: RenderOptions = {}): string {
  const paint = painter(options.color === true);
  const { hops, levels, totals } = explanation;
  const lines = hops.flatMap((hop) => [
    paint("bold", `Hop ${hopName(hop)}`),
    ...hop.branches.map((branch) => `  ${branchText(branch, paint)}`),
    ...hop.pruned.map(
      ({ edge, direction, reason }) =>
        `  ${paint("yellow", "passed by")} ${plain(edge)} ${direction}: ${plain(reason)}`,
    ),
  ]);
  const { edges, scanned, bytes, timeoutMs } = explanation.budget;
  lines.push(`Budget: ${edges} edges, ${scanned} looked at, ${bytes} bytes, ${timeoutMs} ms`);
  if (levels !== undefined && levels.length > 0) lines.push("", ...figures(hops, levels, paint));
  if (totals !== undefined) {
    const { waitUs, planUs, walkUs, encodeUs } = totals;
    lines.push(`Waited ${ms(waitUs)} ms, planned ${ms(planUs)}, walked ${ms(walkUs)}, encoded ${ms(encodeUs)}`);
  }
  return lines.join("\n");
}

const arrows = { out: ["─", "→"], in: ["←", "─"], both: ["←", "→"] } as const;

/** `account ─ watched → title  limit 50 (hop), latest (built-in), since 2026-10-22 12:00:00 (hop)`. */
function branchText(
  { edge, direction, from, to, rule, origins, filtersInStore }: BranchExplanation,
  paint: Paint,
): string {
  const [before, behind] = arrows[direction];
  const said = (text: string, origin = ""): string => `${text} ${paint("dim", `(${origin})`)}`;
  const rules = [
    said(`limit ${rule.limit}`, origins.limit),
    said(rule.order, origins.order),
    rule.since === undefined
      ? said("since ever", origins.since)
      : said(`since ${shortTime(rule.since)}`, origins.since),
    ...(rule.until === undefined ? [] : [said(`until ${shortTime(rule.until)}`, origins.until)]),
    ...(filtersInStore ? [] : ["filtered behind the store"]),
  ];
  const names = (types: readonly string[]): string => types.map(plain).join(", ");
  return `${names(from)} ${before} ${paint("bold", plain(edge))} ${behind} ${names(to)}  ${rules.join(", ")}`;
}

const header = [
  "hop",
  "walked from",
  "looked at",
  "refused",
  "answered",
  "cached",
  "edges ms",
  "nodes ms",
  "enrich ms",
];

function figures(hops: readonly HopExplanation[], levels: readonly LevelProfile[], paint: Paint): string[] {
  const rows = levels.map((level, i) => [
    hopName(hops[i]!),
    ...[level.frontier, level.scanned, level.filtered, level.returned].map(String),
    `${level.cacheHits}/${level.cacheHits + level.cacheMisses}`,
    ...[level.adjacencyUs, level.nodesUs, level.enrichUs].map(ms),
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => cells.map((cell, i) => cell.padStart(widths[i]!)).join("  ");
  return [paint("bold", line(header)), ...rows.map(line)];
}

/** `2`, or `2.3` for the third repetition of the second hop. */
function hopName({ hop, repetition }: HopExplanation): string {
  return repetition === undefined ? String(hop + 1) : `${hop + 1}.${repetition}`;
}

function ms(microseconds: number): string {
  return (microseconds / 1_000).toFixed(1);
}
