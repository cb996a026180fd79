// The words of a query text: names, strings, numbers and signs, each with its place.
import { RdgError } from "../../core/errors.ts";

export interface Token {
  readonly kind: "name" | "string" | "number" | "sign" | "end";
  /** A name or string without its quotes; a number or sign as written. */
  readonly text: string;
  /** Names in backticks are never keywords or options. */
  readonly quoted: boolean;
  readonly at: number;
}

const queryLengthMax = 64 * 1024;

const blank = /[ \t\r\n]*/y;
const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const sign = /<>|<=|>=|\.\.|[()[\]{}:,.<>=|*-]/y;

/** The last token is the end. @throws RdgError invalid */
export function tokenize(text: string): Token[] {
  if (text.length > queryLengthMax) {
    throw new RdgError("invalid", "query_too_long", `A query text has at most ${queryLengthMax} characters.`, {
      hint: "Send long lists of ids as JSON to /v1/traverse.",
    });
  }
  const tokens: Token[] = [];
  let at = skip(text, 0);
  while (at < text.length) {
    const token = next(text, at);
    tokens.push(token.token);
    at = skip(text, token.end);
  }
  tokens.push({ kind: "end", text: "", quoted: false, at });
  return tokens;
}

function skip(text: string, at: number): number {
  blank.lastIndex = at;
  return at + blank.exec(text)![0].length;
}

function next(text: string, at: number): { token: Token; end: number } {
  const first = text[at]!;
  if (first === "'" || first === '"') return quoted(text, at, "string");
  if (first === "`") return quoted(text, at, "name");
  for (const [kind, pattern] of [
    ["name", name],
    ["number", number],
    ["sign", sign],
  ] as const) {
    pattern.lastIndex = at;
    const match = pattern.exec(text)?.[0];
    if (match !== undefined) return { token: { kind, text: match, quoted: false, at }, end: at + match.length };
  }
  throw syntaxError(text, at, `${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))} has no meaning here.`);
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

/** A string with backslash escapes, or a name in backticks, in which two backticks stand for one. */
function quoted(text: string, at: number, kind: "string" | "name"): { token: Token; end: number } {
  const quote = text[at]!;
  let value = "";
  for (let i = at + 1; i < text.length; i++) {
    const char = text[i]!;
    if (char === quote) {
      if (kind === "string" || text[i + 1] !== quote)
        return { token: { kind, text: value, quoted: true, at }, end: i + 1 };
      i++;
    } else if (char === "\\" && kind === "string") {
      i++;
      const hex = /^u[0-9a-fA-F]{4}/.exec(text.slice(i, i + 5))?.[0];
      value +=
        hex === undefined ? (escapes[text[i] ?? ""] ?? text[i] ?? "") : String.fromCharCode(parseInt(hex.slice(1), 16));
      if (hex !== undefined) i += 4;
      continue;
    }
    value += char;
  }
  throw syntaxError(text, at, `This ${kind} does not end.`, `Close it with ${quote}.`);
}

/** `line:column`, both from 1. */
function placeOf(text: string, at: number): string {
  const before = text.slice(0, at);
  return `${before.split("\n").length}:${at - before.lastIndexOf("\n")}`;
}

export function syntaxError(text: string, at: number, message: string, hint?: string): RdgError {
  const excerpt = text
    .slice(at, at + 30)
    .split("\n")[0]!
    .toWellFormed();
  const found = excerpt === "" ? "the end of the query" : `"${excerpt}"`;
  return new RdgError("invalid", "query_syntax", `${message} Found ${found}.`, { place: placeOf(text, at), hint });
}
