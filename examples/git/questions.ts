// The questions of the demo: query text that anybody can type, and what its answer says in a few rows.
import { AnswerError, type RdgConnection } from "../send.ts";

interface NodeAnswer {
  readonly type: string;
  readonly id: string;
  readonly properties?: Properties;
}
interface EdgeAnswer {
  readonly from: string;
  readonly to: string;
  readonly properties: Properties;
}
type Properties = Readonly<Record<string, string | number | boolean | null>>;

interface Answer {
  readonly levels: readonly { readonly nodes: readonly NodeAnswer[]; readonly edges?: readonly EdgeAnswer[] }[];
  readonly hops: readonly { readonly complete: boolean }[];
}

/** A question with its answer: rows of columns, the best first. */
export interface Answered {
  readonly question: string;
  readonly query: string;
  readonly rows: readonly (readonly string[])[];
  /** Whether everything that the question asks for was looked at. */
  readonly complete: boolean;
  readonly milliseconds: number;
}

const rowsMax = 5;
const waitMs = 5000;
/** Somebody's last commits of their own: merges change no file. */
const lastCommits = "-[:authored {latest: 30}]->(c:commit)";
const ofTheirOwn = "WHERE c.files > 0";

export class Questions {
  readonly #rdg: RdgConnection;

  constructor(rdg: RdgConnection) {
    this.#rdg = rdg;
  }

  /** Resolves when everything stored up to the positions is in the graph, and the commit with it. */
  async waitFor(commit: string, positions: readonly string[], stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      try {
        await this.#rdg.ask("/v1/query", { query: authorOf(commit), waitFor: positions, timeoutMs: waitMs });
        return;
      } catch (error) {
        if (!(error instanceof AnswerError) || error.code !== "not_applied_yet") throw error;
      }
    }
  }

  /** Asks about the file that changed most often among those that the author of a commit knows. */
  async about(commit: string): Promise<Answered[]> {
    const author = (await this.#ask(authorOf(commit))).answer.levels[1]?.nodes[0];
    if (author === undefined) return [];
    const known = await this.#ask(
      `(person {id: ${text(author.id)}})-[:knows {any: 10000}]->(f:file) WHERE f.exists = true`,
    );
    const files = known.answer.levels[1]!.nodes;
    const file = sortedBy(files, (node) => numberOf(node.properties, "commits"))[0];
    const answers = [await this.#colleagues(author), await this.#folders(author)];
    return file === undefined ? answers : [await this.#whoKnows(file.id), await this.#changesWith(file.id), ...answers];
  }

  async #whoKnows(file: string): Promise<Answered> {
    const query = `(file {id: ${text(file)}})<-[:knows {any: 10000}]-(person)`;
    return this.#answered(`Who knows ${file} best?`, query, ({ levels }) => {
      const people = new Map(levels[1]!.nodes.map((node) => [node.id, node]));
      const best = sortedBy(levels[1]!.edges!, ({ properties }) => numberOf(properties, "commits"), linesOf);
      return best.map(({ from, properties }) => [
        nameOf(people.get(from), from),
        plural(numberOf(properties, "commits"), "commit"),
        plural(linesOf({ properties }), "line"),
      ]);
    });
  }

  async #changesWith(file: string): Promise<Answered> {
    const query = `(file {id: ${text(file)}})-[:co_changed {any: 10000}]-(f:file) WHERE f.exists = true`;
    return this.#answered(`What changes together with ${file}?`, query, ({ levels }) =>
      sortedBy(levels[1]!.edges!, ({ properties }) => numberOf(properties, "commits")).map(
        ({ from, to, properties }) => [
          from === file ? to : from,
          `${plural(numberOf(properties, "commits"), "commit")} of both`,
        ],
      ),
    );
  }

  async #colleagues(person: NodeAnswer): Promise<Answered> {
    const query = `(person {id: ${text(person.id)}})${lastCommits}-[:touched {any: 50}]->()<-[:knows {any: 1000}]-(person) ${ofTheirOwn}`;
    const question = `Who else works on the files of the last 30 commits by ${nameOf(person, person.id)}?`;
    return this.#answered(question, query, ({ levels }) => {
      const others = levels[3]!.edges!.filter(({ from }) => from !== person.id);
      const people = new Map(levels[3]!.nodes.map((node) => [node.id, node]));
      return ranked(others.map(({ from }) => from)).map(([id, files]) => [
        nameOf(people.get(id), id),
        `${plural(files, "file")} in common`,
      ]);
    });
  }

  async #folders(person: NodeAnswer): Promise<Answered> {
    const query = `(person {id: ${text(person.id)}})${lastCommits}-[:touched {any: 50}]->()-[:in_folder]->(folder) ${ofTheirOwn}`;
    const question = `Where are the files of the last 30 commits by ${nameOf(person, person.id)}?`;
    return this.#answered(question, query, ({ levels }) =>
      ranked(levels[3]!.edges!.map(({ to }) => to)).map(([folder, files]) => [folder, plural(files, "file")]),
    );
  }

  async #answered(question: string, query: string, rows: (answer: Answer) => string[][]): Promise<Answered> {
    const { answer, milliseconds } = await this.#ask(query);
    // Where the question is about somebody's last commits, that there are earlier ones cuts nothing off.
    const complete = answer.hops.every((hop, i) => hop.complete || (i === 0 && query.includes(lastCommits)));
    return { question, query, rows: rows(answer).slice(0, rowsMax), complete, milliseconds };
  }

  async #ask(query: string): Promise<{ answer: Answer; milliseconds: number }> {
    const startMs = performance.now();
    const answer = (await this.#rdg.ask("/v1/query", { query })) as Answer;
    return { answer, milliseconds: Math.round((performance.now() - startMs) * 100) / 100 };
  }
}

const authorOf = (commit: string): string => `(commit {id: ${text(commit)}})<-[:authored]-(person)`;

/** A string of query text. */
function text(value: string): string {
  return `'${JSON.stringify(value).slice(1, -1).replaceAll("'", "\\'")}'`;
}

const plural = (count: number, what: string): string =>
  `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
const nameOf = (person: NodeAnswer | undefined, id: string): string => String(person?.properties?.["name"] ?? id);
/** Counters are decimal strings in JSON. */
const numberOf = (properties: Properties | undefined, name: string): number => Number(properties?.[name] ?? 0);
const linesOf = ({ properties }: { properties: Properties }): number => numberOf(properties, "lines");

/** The greatest first, by the first measure that differs. */
function sortedBy<T>(items: readonly T[], ...measures: ((item: T) => number)[]): T[] {
  const compare = (a: T, b: T): number => {
    for (const measure of measures) if (measure(a) !== measure(b)) return measure(b) - measure(a);
    return 0;
  };
  return items.toSorted(compare);
}

/** Each id once, with how often it occurs, the most frequent first. */
function ranked(ids: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return sortedBy([...counts], ([, count]) => count);
}
