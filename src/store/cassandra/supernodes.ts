// Records with so many edges that their degree is kept, and how writers come to know of them. A writer asks which these are after its rows are written, and
// settles their counters before its frame counts as applied; whoever names a new one walks over its edges afterwards. So an edge that its writer did not settle
// was there before the walk began, whoever was at work when, and however late (docs/adr/0128).
import { type GraphLayout, type ListKind, tableOf } from "./layout.ts";
import type { Session } from "./session.ts";

const named = 1;
const counted = 2;
/** The row that says how often records were named so far; names of lists are JSON. */
const namings = ["namings", ""] as const;
const pageRows = 1_000;
const neverAborted = new AbortController().signal;
const none: ReadonlySet<string> = new Set();

/** What its counters go by: with another ttl they are others. */
export function nameOfList({ edge, direction }: ListKind): string {
  return JSON.stringify([direction, edge.name, ...(edge.ttlMs === undefined ? [] : [edge.ttlMs])]);
}

export class Supernodes {
  readonly #session: Session;
  readonly #one: string;
  readonly #some: string;
  readonly #ofList: string;
  readonly #all: string;
  readonly #write: string;
  #seenNamings = 0;
  #known: ReadonlyMap<string, ReadonlySet<string>> = new Map();

  constructor(session: Session, layout: GraphLayout) {
    const table = tableOf(layout, layout.supernodes);
    this.#session = session;
    this.#one = `SELECT counted FROM ${table} WHERE list = ? AND rec = ?`;
    this.#some = `SELECT rec, counted FROM ${table} WHERE list = ? AND rec IN ?`;
    this.#ofList = `SELECT rec, counted FROM ${table} WHERE list = ?`;
    this.#all = `SELECT list, rec FROM ${table}`;
    this.#write = `INSERT INTO ${table} (list, rec, counted) VALUES (?, ?, ?) USING TIMESTAMP 1`;
  }

  /** Records whose counters have to be settled by whoever wrote before this call. By name of the list. */
  async known(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const all = await this.#namings();
    if (all !== this.#seenNamings) {
      this.#known = await this.#readAll();
      this.#seenNamings = all;
    }
    return this.#known;
  }

  /** Those of the records that are counted. */
  async countedAmong(list: ListKind, records: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    if (records.length === 0) return none;
    const { rows } = await this.#session.read(this.#some, [nameOfList(list), [...new Set(records)]], signal);
    return new Set(rows.filter((row) => row.get("counted") === counted).map((row) => row.get("rec") as string));
  }

  /** All that are counted, a page at a time. */
  async *counted(list: ListKind, signal: AbortSignal): AsyncGenerator<readonly string[]> {
    let from: string | undefined;
    do {
      const page = await this.#session.read(this.#ofList, [nameOfList(list)], signal, { rowsMax: pageRows, from });
      yield page.rows.filter((row) => row.get("counted") === counted).map((row) => row.get("rec") as string);
      from = page.next;
    } while (from !== undefined);
  }

  /** When it resolves, every edge of the record is there already or will be settled by its writer. */
  async name(list: ListKind, record: string): Promise<void> {
    await this.#set(nameOfList(list), record, named);
    // Read behind the name: two that name at the same time end at a number that is greater than what anybody saw before either.
    await this.#set(...namings, (await this.#namings()) + 1);
  }

  async setCounted(list: ListKind, record: string): Promise<void> {
    await this.#set(nameOfList(list), record, counted);
  }

  async #set(list: string, record: string, value: number): Promise<void> {
    await this.#session.write([{ query: this.#write, params: [list, record, value] }]);
  }

  async #namings(): Promise<number> {
    const { rows } = await this.#session.readToWrite(this.#one, namings);
    return (rows[0]?.get("counted") as number | undefined) ?? 0;
  }

  async #readAll(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const known = new Map<string, Set<string>>();
    let from: string | undefined;
    do {
      const page = await this.#session.read(this.#all, [], neverAborted, { rowsMax: pageRows, from });
      for (const row of page.rows) {
        const [list, record] = row.values() as [string, string];
        if (list !== namings[0]) known.set(list, (known.get(list) ?? new Set()).add(record));
      }
      from = page.next;
    } while (from !== undefined);
    return known;
  }
}
