// Up to where the frames of each source are applied, and which input positions they account for: registers, like everything else.
//
// Rows by source and input ("" for the source's own offset). Behind the source's name stands whose they are: nothing for the whole graph, `#3/8` for part 3 of
// 8 alone; and a `+` for what is taken up but waits in the repair queue, so that readers do not see all of it yet. Names that begin with `+` are the store's own:
// `+repaired` has how far the queue is made up, `+sources` the names of all others: so reading them asks only for what they are on.
import type { Position } from "../../model/position.ts";
import type { AppliedPositions } from "../port.ts";
import { bigintCell } from "./cells.ts";
import { type GraphLayout, tableOf } from "./layout.ts";
import type { Session, Statement } from "./session.ts";
import type { Share } from "./share.ts";

const neverAborted = new AbortController().signal;
const page = 1_000;
const own = "+";
const repairedSource = `${own}repaired`;
const namesSource = `${own}sources`;

/** Offsets of a source and of the inputs that it accounts for; `""` is the source's own. */
export type Reached = ReadonlyMap<string, number>;

export interface PositionRow {
  readonly source: string;
  readonly part: number;
  readonly of: number;
  /** It may still be in the repair queue. */
  readonly waits: boolean;
  readonly input: string;
  readonly offset: number;
}

export class Positions {
  readonly #session: Session;
  readonly #readAll: string;
  readonly #readSome: string;
  readonly #write: string;
  /** Names that are in the list of names. */
  readonly #listed = new Set<string>();

  constructor(session: Session, layout: GraphLayout) {
    const table = tableOf(layout, layout.positions);
    this.#session = session;
    this.#readAll = `SELECT source, input, reached FROM ${table}`;
    this.#readSome = `${this.#readAll} WHERE source IN ?`;
    this.#write = `INSERT INTO ${table} (source, input, reached) VALUES (?, ?, ?) USING TIMESTAMP 1`;
  }

  /** What readers see: of every part. */
  async read(rows?: readonly PositionRow[]): Promise<AppliedPositions> {
    const sources = new Map<string, number>();
    const inputs = new Map<string, Position>();
    const seen = (rows ?? (await this.rows())).filter(({ waits }) => !waits);
    for (const [source, all] of Map.groupBy(seen, (row) => row.source)) {
      for (const [input, offset] of reachedBy(all)) {
        if (input === "") sources.set(source, offset);
        else if ((inputs.get(input)?.offset ?? -1) < offset) inputs.set(input, { ...inputOf(input), offset });
      }
    }
    return { sources, inputs: [...inputs.values()] };
  }

  /**
   * By source and part of the share: what whoever writes it has taken up.
   * @param waiting also what waits in the repair queue: for whoever empties that
   */
  taken(
    all: readonly PositionRow[],
    { parts, of }: Share,
    waiting: boolean,
  ): ReadonlyMap<string, ReadonlyMap<number, Reached>> {
    const rows = all.filter(({ waits }) => waiting || !waits);
    return new Map(
      [...Map.groupBy(rows, (row) => row.source)].map(([source, told]) => [
        source,
        new Map(parts.map((part) => [part, reachedBy(told, { part, of })] as const)),
      ]),
    );
  }

  /** By partition of the repair queue: the last record that is made up. */
  async repaired(): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#rowsOf([repairedSource]);
    return new Map(rows.map(({ input, offset }) => [Number(input), offset]));
  }

  writesOfRepaired(partition: number, offset: number): readonly Statement[] {
    return [{ query: this.#write, params: [repairedSource, String(partition), bigintCell(offset)] }];
  }

  /** Says nothing new: for asking whether the cluster takes anything. */
  writesOfNothing(): readonly Statement[] {
    return [{ query: this.#write, params: [`${own}nothing`, "", bigintCell(0)] }];
  }

  /**
   * What tells that parts are applied up to there.
   * @param waits a part of it is in the repair queue
   */
  writesOf(source: string, { parts, of }: Share, reached: Reached, waits: boolean): readonly Statement[] {
    return namesOf(source, { parts, of }, waits).flatMap((name) => [
      ...(this.#listed.has(name) ? [] : [{ query: this.#write, params: [namesSource, name, bigintCell(0)] }]),
      ...[...reached].map(([input, offset]) => ({ query: this.#write, params: [name, input, bigintCell(offset)] })),
    ]);
  }

  /** `writesOf` these were made. */
  made(source: string, share: Share, waits: boolean): void {
    for (const name of namesOf(source, share, waits)) this.#listed.add(name);
  }

  /** As they are stored. */
  async rows(): Promise<readonly PositionRow[]> {
    const names = (await this.#rowsOf([namesSource])).map(({ input }) => input);
    // An earlier version kept no list, and had the whole graph only.
    const wanted = [...new Set(names.flatMap((name) => [name, name.replace(/(#\d+\/\d+)?\+?$/, "")]))];
    const all = await this.#rowsOf(wanted.length === 0 ? undefined : wanted);
    const rows = all.filter(({ source }) => !source.startsWith(own));
    return rows.map(({ source: name, ...rest }) => {
      const [, source = name, part = "0", of = "1", waits] = /^(.*?)(?:#(\d+)\/(\d+))?(\+)?$/.exec(name) ?? [];
      return { source, part: Number(part), of: Number(of), waits: waits === "+", ...rest };
    });
  }

  async #rowsOf(names?: readonly string[]): Promise<{ source: string; input: string; offset: number }[]> {
    const [query, params] = names === undefined ? [this.#readAll, []] : [this.#readSome, [names]];
    const all: { source: string; input: string; offset: number }[] = [];
    let from: string | undefined;
    do {
      const { rows, next } = await this.#session.read(query, params, neverAborted, { rowsMax: page, from });
      for (const row of rows) {
        const [source, input, reached] = row.values() as [string, string, Buffer];
        all.push({ source, input, offset: Number(reached.readBigInt64BE(0)) });
      }
      from = next;
    } while (from !== undefined);
    return all;
  }
}

/**
 * What the rows of one source say together: of the whole graph, or of one part of it. Each says that at least so much is applied; where the graph was cut
 * otherwise before, what all of those parts have is applied in every part.
 */
function reachedBy(rows: readonly PositionRow[], only?: { readonly part: number; readonly of: number }): Reached {
  const reached = new Map<string, number>();
  for (const [input, told] of Map.groupBy(rows, (row) => row.input)) {
    let offset = -1;
    for (const [of, cut] of Map.groupBy(told, (row) => row.of)) {
      const byPart = new Map<number, number>();
      for (const row of cut) byPart.set(row.part, Math.max(row.offset, byPart.get(row.part) ?? -1));
      if (byPart.size === of) offset = Math.max(offset, Math.min(...byPart.values()));
      if (only?.of === of) offset = Math.max(offset, byPart.get(only.part) ?? -1);
    }
    if (offset >= 0) reached.set(input, offset);
  }
  return reached;
}

function namesOf(source: string, { parts, of }: Share, waits: boolean): readonly string[] {
  const names = parts.length === of ? [source] : parts.map((part) => `${source}#${part}/${of}`);
  return waits ? names.map((name) => `${name}+`) : names;
}

function inputOf(input: string): { readonly topic: string; readonly partition: number } {
  const slash = input.lastIndexOf("/");
  return { topic: input.slice(0, slash), partition: Number(input.slice(slash + 1)) };
}
