// The text of a generated function: lines with indentation, fresh names, and constants that are bound by name, so that no user string is code.
import { RdgError } from "../../../core/errors.ts";

export class Source {
  private readonly lines: string[] = [];
  private indent = "  ";
  private readonly counters: { next: number };

  constructor(counters: { next: number } = { next: 1 }) {
    this.counters = counters;
  }

  /** A part that is placed later (`place`) and shares the fresh names. */
  part(): Source {
    return new Source(this.counters);
  }

  line(text: string): void {
    this.lines.push(this.indent + text);
  }

  /** A user's name in a comment: printable ASCII on one line, whatever it was. */
  comment(text: string): void {
    this.line(`// ${printable(text)}`);
  }

  block(head: string, body: () => void, foot = "}"): void {
    this.line(`${head} {`);
    const outer = this.indent;
    this.indent += "  ";
    body();
    this.indent = outer;
    this.line(foot);
  }

  otherwise(body: () => void): void {
    this.lines.pop();
    this.block("} else", body);
  }

  fresh(prefix: string): string {
    return `${prefix}${this.counters.next++}`;
  }

  place(part: Source): void {
    for (const line of part.lines) this.lines.push(this.indent + line.slice(2));
  }

  get empty(): boolean {
    return this.lines.length === 0;
  }

  mentions(text: string): boolean {
    return this.lines.some((line) => line.includes(text));
  }

  toString(): string {
    return this.lines.join("\n");
  }
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** Every text and bytes literal of a plan in one buffer, each once. */
export class LiteralPool {
  private readonly positions = new Map<string, number>();
  private readonly parts: Uint8Array[] = [];
  private length = 0;

  add(bytes: Uint8Array): { readonly start: number; readonly end: number } {
    const key = Buffer.from(bytes).toString("latin1");
    let start = this.positions.get(key);
    if (start === undefined) {
      start = this.length;
      this.positions.set(key, start);
      this.parts.push(bytes);
      this.length += bytes.length;
    }
    return { start, end: start + bytes.length };
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.parts));
  }
}

export function badPlan(place: string, message: string): RdgError {
  return new RdgError("invalid", "bad_plan", message, {
    place,
    hint: "Build jobs with the functions of rdg; a plan that was stored must come from a compatible version.",
  });
}
