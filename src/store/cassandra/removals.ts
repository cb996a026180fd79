// Node types of which a node was removed at some time. Of all others readers need not ask whether an edge's ends were removed: most graphs remove nothing.
import { type GraphLayout, tableOf } from "./layout.ts";
import type { Session } from "./session.ts";

/** The table is one partition. */
const part = "removals";

export class Removals {
  readonly #session: Session;
  readonly #layout: GraphLayout;
  readonly #read: string;
  readonly #write: string;
  /** By index; once said it stays. */
  readonly #types = new Set<number>();

  constructor(session: Session, layout: GraphLayout) {
    const table = tableOf(layout, layout.removals);
    this.#session = session;
    this.#layout = layout;
    this.#read = `SELECT type FROM ${table} WHERE part = ?`;
    this.#write = `INSERT INTO ${table} (part, type) VALUES (?, ?) USING TIMESTAMP 1`;
  }

  /** To be called before the first removal of these types is written. */
  async declare(types: readonly number[]): Promise<void> {
    const fresh = types.filter((type) => !this.#types.has(type));
    if (fresh.length === 0) return;
    await this.#session.write(
      fresh.map((type) => ({ query: this.#write, params: [part, this.#layout.nodes[type]!.name] })),
    );
    for (const type of fresh) this.#types.add(type);
  }

  /** Those of the given types. Asks the cluster while one of them is not known to be among them. */
  async among(types: readonly number[], signal: AbortSignal): Promise<ReadonlySet<number>> {
    if (types.some((type) => !this.#types.has(type))) {
      const { rows } = await this.#session.read(this.#read, [part], signal);
      const names = new Set(rows.map((row) => row.get("type") as string));
      for (const { type, name } of this.#layout.nodes) if (names.has(name)) this.#types.add(type);
    }
    return new Set(types.filter((type) => this.#types.has(type)));
  }
}
