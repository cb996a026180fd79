// Reads query text token by token: expects, takes, and words the error when something else is there.
import { didYouMean } from "../../core/did-you-mean.ts";
import type { RdgError } from "../../core/errors.ts";
import { type Token, syntaxError, tokenize } from "./tokens.ts";

const valueDepthMax = 4;

export class TokenReader {
  private readonly text: string;
  private readonly tokens: readonly Token[];
  private index = 0;

  constructor(text: string) {
    this.text = text;
    this.tokens = tokenize(text);
  }

  get token(): Token {
    return this.tokens[this.index]!;
  }

  get following(): Token {
    return this.tokens[Math.min(this.index + 1, this.tokens.length - 1)]!;
  }

  get atEnd(): boolean {
    return this.token.kind === "end";
  }

  next(): Token {
    const { token } = this;
    if (token.kind !== "end") this.index++;
    return token;
  }

  sees(sign: string): boolean {
    return this.token.kind === "sign" && this.token.text === sign;
  }

  take(sign: string): boolean {
    if (!this.sees(sign)) return false;
    this.index++;
    return true;
  }

  expect(sign: string, message: string): Token {
    if (!this.sees(sign)) throw this.error(message);
    return this.next();
  }

  name(what: string): Token {
    if (this.token.kind !== "name")
      throw this.error(`Expected ${what}.`, "Names with other characters stand in `backticks`.");
    return this.next();
  }

  /** Whether a keyword is next, in capitals or not; then it is taken. */
  word(keyword: string): boolean {
    if (!this.seesWord(keyword)) return false;
    this.index++;
    return true;
  }

  seesWord(keyword: string): boolean {
    const { kind, quoted, text } = this.token;
    return kind === "name" && !quoted && text.toLowerCase() === keyword;
  }

  /** The index of what a name names. */
  named(token: Token, declared: readonly { readonly name: string }[], what: string): number {
    const index = declared.findIndex(({ name }) => name === token.text);
    if (index >= 0) return index;
    const hint = didYouMean(
      token.text,
      declared.map(({ name }) => name),
    );
    throw this.errorAt(token.at, `There is no ${what} "${token.text}".`, hint);
  }

  map(depth = 1): { readonly key: Token; readonly value: unknown }[] {
    this.expect("{", "Expected {.");
    const entries: { readonly key: Token; readonly value: unknown }[] = [];
    while (!this.take("}")) {
      if (entries.length > 0) this.expect(",", "Expected , or }.");
      const key = this.name("a name");
      if (entries.some((entry) => entry.key.text === key.text && entry.key.quoted === key.quoted)) {
        throw this.errorAt(key.at, `"${key.text}" is given twice.`);
      }
      this.expect(":", "Expected : after the name.");
      entries.push({ key, value: this.value(depth) });
    }
    return entries;
  }

  /** A literal as its JSON value; an integer that is not safe becomes a decimal string, as in JSON requests. */
  value(depth = 0): unknown {
    if (depth > valueDepthMax) throw this.error("Values are nested too deep here.");
    if (this.sees("[")) return this.list(depth);
    if (this.sees("{")) return Object.fromEntries(this.map(depth + 1).map(({ key, value }) => [key.text, value]));
    if (this.token.kind === "string") return this.next().text;
    if (this.token.kind === "number") return numberOf(this.next().text);
    if (this.word("true")) return true;
    if (this.word("false")) return false;
    throw this.error("Expected a value.", "Values are 'text', numbers, true, false, and lists of these in [ ].");
  }

  list(depth = 0): unknown[] {
    this.expect("[", "Expected a list such as ['a', 'b'].");
    const items: unknown[] = [];
    while (!this.take("]")) {
      if (items.length > 0) this.expect(",", "Expected , or ].");
      items.push(this.value(depth + 1));
    }
    return items;
  }

  error(message: string, hint?: string): RdgError {
    return this.errorAt(this.token.at, message, hint);
  }

  errorAt(at: number, message: string, hint?: string): RdgError {
    return syntaxError(this.text, at, message, hint);
  }
}

function numberOf(text: string): number | string {
  const value = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(value) ? text : value;
}
