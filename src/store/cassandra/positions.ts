// Up to where the frames of each source are applied, and which input positions they account for: registers, like everything else.
import type { UpdateFrame } from "../../log/port.ts";
import type { Position } from "../../model/position.ts";
import type { AppliedPositions } from "../port.ts";
import { bigintCell } from "./cells.ts";
import { type GraphLayout, tableOf } from "./layout.ts";
import type { Session, Statement } from "./session.ts";

const neverAborted = new AbortController().signal;
const page = 1_000;

export class Positions {
  readonly #session: Session;
  readonly #read: string;
  readonly #write: string;

  constructor(session: Session, layout: GraphLayout) {
    const table = tableOf(layout, layout.positions);
    this.#session = session;
    this.#read = `SELECT source, input, reached FROM ${table}`;
    this.#write = `INSERT INTO ${table} (source, input, reached) VALUES (?, ?, ?) USING TIMESTAMP 1`;
  }

  async read(): Promise<AppliedPositions> {
    const sources = new Map<string, number>();
    const inputs = new Map<string, Position>();
    let from: string | undefined;
    do {
      const { rows, next } = await this.#session.read(this.#read, [], neverAborted, { rowsMax: page, from });
      for (const row of rows) {
        const [source, input, reached] = row.values() as [string, string, Buffer];
        const offset = Number(reached.readBigInt64BE(0));
        if (input === "") sources.set(source, offset);
        else if ((inputs.get(input)?.offset ?? -1) < offset) inputs.set(input, { ...inputOf(input), offset });
      }
      from = next;
    } while (from !== undefined);
    return { sources, inputs: [...inputs.values()] };
  }

  /** What tells that the frame is applied. */
  writesOf({ source, offset, inputs }: UpdateFrame): readonly Statement[] {
    const query = this.#write;
    return [
      { query, params: [source, "", bigintCell(offset)] },
      ...inputs.map((input) => ({
        query,
        params: [source, `${input.topic}/${input.partition}`, bigintCell(input.offset)],
      })),
    ];
  }
}

function inputOf(input: string): { readonly topic: string; readonly partition: number } {
  const slash = input.lastIndexOf("/");
  return { topic: input.slice(0, slash), partition: Number(input.slice(slash + 1)) };
}
