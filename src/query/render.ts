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
  const reachedFrom = edgesByNear(answer);
  const nodes = answer.levels.map((level) => new Map(level.nodes.map((node) => [keyOf(node.type, node.id), node])));
  const drawn = new Set<string>();
  const draw = (level: number, key: string, indent: string): void => {
    const reached = reachedFrom.get(`${level} ${key}`) ?? [];
    for (const [i, { edge, far, farId, farLevel, outward }] of reached.entries()) {
      const last = i === reached.length - 1;
      const arrow = outward ? `─ ${edge.type} → ` : `─ ${edge.type} ← `;
      const place = `${farLevel} ${far}`;
      const again = drawn.has(place) && reachedFrom.has(place);
      drawn.add(place);
      const node = nodes[farLevel]?.get(far);
      const edgeText = described(edge.properties, paint);
      const seen = paint("dim", ` ${shortTime(edge.lastSeen)}`);
      lines.push(
        `${indent}${last ? "└" : "├"}${paint("dim", arrow)}${nodeText(farId, node, paint)}${edgeText}${seen}${again ? paint("dim", " (see above)") : ""}`,
      );
      if (!again) draw(farLevel, far, `${indent}${last ? "   " : "│  "}`);
    }
  };
  for (const node of answer.levels[0]?.nodes ?? []) {
    lines.push(nodeText(node.id, node, paint));
    draw(0, keyOf(node.type, node.id), "");
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
    ? answer.levels.flatMap((level, number) =>
        (level.edges ?? []).map((edge) => [
          hopName(answer, number - 1),
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
  readonly farId: string;
  readonly farLevel: number;
  /** Whether the arrow points away from the near node. */
  readonly outward: boolean;
}

/** Types have no blanks in their names. */
function keyOf(type: string, id: string): string {
  return `${type} ${id}`;
}

/** Edges by level and node that they were reached from: of the level before, or further back behind a hop that was repeated. */
function edgesByNear(answer: RenderedAnswer): Map<string, Reached[]> {
  const reached = new Map<string, Reached[]>();
  const ends = endTypes(answer);
  const keys = answer.levels.map(({ nodes }) => new Set(nodes.map(({ type, id }) => keyOf(type, id))));
  const levelOf = (key: string, before: number): number =>
    keys.slice(0, before).findLastIndex((level) => level.has(key));
  for (const [level, { edges = [] }] of answer.levels.entries()) {
    for (const edge of edges) {
      const { from, to } = ends.get(edge.type)!;
      const [origin, target] = [keyOf(from, edge.from), keyOf(to, edge.to)];
      const outwardAt = keys[level]!.has(target) ? levelOf(origin, level) : -1;
      const inwardAt = keys[level]!.has(origin) ? levelOf(target, level) : -1;
      const outward = outwardAt >= inwardAt;
      const place = `${Math.max(outwardAt, inwardAt)} ${outward ? origin : target}`;
      const known = reached.get(place) ?? [];
      reached.set(place, known);
      const [far, farId] = outward ? [target, edge.to] : [origin, edge.from];
      known.push({ edge, far, farId, farLevel: level, outward });
    }
  }
  return reached;
}

/** What an edge type leads between, as its edges in the answer show: the first pair of types that fits them all, outward before inward. */
function endTypes({ levels }: RenderedAnswer): Map<string, { readonly from: string; readonly to: string }> {
  const typesAt = levels.map(({ nodes }) => Map.groupBy(nodes, ({ id }) => id));
  const typesOf = (id: string, from: number, to: number): string[] => [
    ...new Set(typesAt.slice(from, to).flatMap((ids) => (ids.get(id) ?? []).map(({ type }) => type))),
  ];
  const possible = new Map<string, string[]>();
  for (const [level, { edges = [] }] of levels.entries()) {
    for (const { type, from, to } of edges) {
      const outward = typesOf(from, 0, level).flatMap((near) =>
        typesOf(to, level, level + 1).map((far) => `${near} ${far}`),
      );
      const inward = typesOf(to, 0, level).flatMap((near) =>
        typesOf(from, level, level + 1).map((far) => `${far} ${near}`),
      );
      const pairs = [...outward, ...inward];
      possible.set(type, possible.get(type)?.filter((pair) => pairs.includes(pair)) ?? pairs);
    }
  }
  return new Map(
    Array.from(possible, ([type, [pair = ""]]) => {
      const [from = "", to = ""] = pair.split(" ");
      return [type, { from, to }];
    }),
  );
}

export type Paint = (style: "bold" | "dim" | "yellow", text: string) => string;

export function painter(color: boolean): Paint {
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
    const where = `${nodes} ${nodes === 1 ? "node" : "nodes"}`;
    return [paint("yellow", `Hop ${hopName(answer, i)} is not complete: cut by ${cause} at ${where}.`)];
  });
}

/** `2`, or `2.3` for the third repetition of the second hop. */
function hopName({ hops }: RenderedAnswer, index: number): string {
  const { hop = index, repetition } = hops[index] ?? {};
  return repetition === undefined ? String(hop + 1) : `${hop + 1}.${repetition}`;
}

/** Ids and values come from anybody: control characters, which a terminal would obey, are shown as escapes. */
export function plain(text: string): string {
  if (!/\p{Cc}/u.test(text)) return text;
  return JSON.stringify(text).replace(/\p{Cc}/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** `2026-11-21 08:00:00` in UTC. */
export function shortTime(iso: string): string {
  return iso.replace("T", " ").replace(/\.\d+Z$|Z$/, "");
}
