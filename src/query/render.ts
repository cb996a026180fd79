// Answers for people at a terminal: a traversal's answer as a tree, or as a table with a row per edge.
import type { EdgeAnswer, JsonValue, NodeAnswer, TraverseAnswer } from "../model/traversal.ts";

export type RenderedAnswer = Pick<TraverseAnswer, "levels" | "hops" | "complete">;

export interface RenderOptions {
  readonly color?: boolean;
}

/** Starts at the margin, below each what was reached from it; a node's own edges are drawn where it is met first. */
export function renderTree(answer: RenderedAnswer, options: RenderOptions = {}): string {
  const paint = painter(options.color === true);
  const lines: string[] = [];
  const hops = answer.levels.map((_, level) => edgesByNear(answer, level + 1));
  const nodes = answer.levels.map((level) => new Map(level.nodes.map((node) => [node.id, node])));
  const drawn = new Set<string>();
  const draw = (id: string, level: number, indent: string): void => {
    const reached = hops[level]?.get(id) ?? [];
    for (const [i, { edge, far, outward }] of reached.entries()) {
      const last = i === reached.length - 1;
      const arrow = outward ? `─ ${edge.type} → ` : `─ ${edge.type} ← `;
      const key = `${level + 1} ${far}`;
      const again = drawn.has(key) && (hops[level + 1]?.get(far)?.length ?? 0) > 0;
      drawn.add(key);
      const node = nodes[level + 1]?.get(far);
      const edgeText = described(edge.properties, paint);
      const seen = paint("dim", ` ${shortTime(edge.lastSeen)}`);
      lines.push(
        `${indent}${last ? "└" : "├"}${paint("dim", arrow)}${nodeText(far, node, paint)}${edgeText}${seen}${again ? paint("dim", " (see above)") : ""}`,
      );
      if (!again) draw(far, level + 1, `${indent}${last ? "   " : "│  "}`);
    }
  };
  for (const node of answer.levels[0]?.nodes ?? []) {
    lines.push(nodeText(node.id, node, paint));
    draw(node.id, 0, "");
  }
  if (lines.length === 0) lines.push(paint("dim", "Nothing was found."));
  return [...lines, ...truncations(answer, paint)].join("\n");
}

/** A row per edge: hop, type, from, to, last seen, properties. Without hops, a row per node. */
export function renderTable(answer: RenderedAnswer, options: RenderOptions = {}): string {
  const paint = painter(options.color === true);
  const hasHops = answer.levels.length > 1;
  const header = hasHops
    ? ["hop", "edge", "from", "to", "last seen", "properties"]
    : ["type", "id", "last seen", "properties"];
  const rows = hasHops
    ? answer.levels.flatMap((level, hop) =>
        (level.edges ?? []).map((edge) => [
          String(hop),
          plain(edge.type),
          plain(edge.from),
          plain(edge.to),
          shortTime(edge.lastSeen),
          propertiesText(edge.properties),
        ]),
      )
    : (answer.levels[0]?.nodes ?? []).map((node) => [
        plain(node.type),
        plain(node.id),
        node.lastSeen === undefined ? "" : shortTime(node.lastSeen),
        propertiesText(node.properties ?? {}),
      ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => Math.min(row[column]!.length, 60))),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd();
  return [paint("bold", line(header)), ...rows.map(line), ...truncations(answer, paint)].join("\n");
}

interface Reached {
  readonly edge: EdgeAnswer;
  readonly far: string;
  /** Whether the arrow points away from the near node. */
  readonly outward: boolean;
}

/** The edges of a level by the node of the level before that they were reached from. */
function edgesByNear(answer: RenderedAnswer, level: number): Map<string, Reached[]> {
  const reached = new Map<string, Reached[]>();
  const [before, here] = [answer.levels[level - 1], answer.levels[level]];
  if (!before || !here?.edges) return reached;
  const [near, far] = [new Set(before.nodes.map(({ id }) => id)), new Set(here.nodes.map(({ id }) => id))];
  for (const edge of here.edges) {
    const outward = near.has(edge.from) && far.has(edge.to);
    const from = outward ? edge.from : edge.to;
    const known = reached.get(from) ?? [];
    reached.set(from, known);
    known.push({ edge, far: outward ? edge.to : edge.from, outward });
  }
  return reached;
}

type Paint = (style: "bold" | "dim" | "yellow", text: string) => string;

function painter(color: boolean): Paint {
  const codes = { bold: [1, 22], dim: [2, 22], yellow: [33, 39] } as const;
  return (style, text) => (color && text !== "" ? `\u001b[${codes[style][0]}m${text}\u001b[${codes[style][1]}m` : text);
}

function nodeText(id: string, node: NodeAnswer | undefined, paint: Paint): string {
  const type = node === undefined ? "" : `${plain(node.type)} `;
  return `${type}${paint("bold", plain(id))}${described(node?.properties ?? {}, paint)}`;
}

function described(properties: { readonly [name: string]: JsonValue }, paint: Paint): string {
  const text = propertiesText(properties);
  return text === "" ? "" : paint("dim", ` {${text}}`);
}

function propertiesText(properties: { readonly [name: string]: JsonValue }): string {
  return Object.entries(properties)
    .map(
      ([name, value]) => `${plain(name)}: ${typeof value === "string" ? plain(value) : plain(JSON.stringify(value))}`,
    )
    .join(", ");
}

function truncations(answer: RenderedAnswer, paint: Paint): string[] {
  return answer.hops.flatMap((hop, i) => {
    if (hop.complete) return [];
    const { cause, nodes } = hop.truncated;
    return [
      paint("yellow", `Hop ${i + 1} is not complete: cut by ${cause} at ${nodes} ${nodes === 1 ? "node" : "nodes"}.`),
    ];
  });
}

/** Ids and values come from anybody: control characters, which a terminal would obey, are shown as escapes. */
export function plain(text: string): string {
  if (!/\p{Cc}/u.test(text)) return text;
  return JSON.stringify(text).replace(/\p{Cc}/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** `2026-11-21 08:00:00` in UTC. */
function shortTime(iso: string): string {
  return iso.replace("T", " ").replace(/\.\d+Z$|Z$/, "");
}
