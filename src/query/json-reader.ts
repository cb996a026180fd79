// Reads untrusted parsed JSON field by field: each value knows its place (a JSON pointer), so that every refusal names it and says what is allowed.
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";

export class JsonReader {
  readonly value: unknown;
  readonly #outer: JsonReader | undefined;
  readonly #key: string | number;

  /** `key`: the member or item of `outer` that this is; without `outer`, the place itself. */
  constructor(value: unknown, key: string | number = "", outer?: JsonReader) {
    this.value = value;
    this.#key = key;
    this.#outer = outer;
  }

  /** Put together when it is asked for only, which is when something is wrong. */
  get place(): string {
    if (this.#outer === undefined) return String(this.#key);
    return `${this.#outer.place}/${String(this.#key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
  }

  get present(): boolean {
    return this.value !== undefined;
  }

  /** A member of an object that `object` has checked. */
  at(name: string): JsonReader {
    const own = Object.hasOwn(this.value as object, name) ? (this.value as Record<string, unknown>)[name] : undefined;
    return new JsonReader(own, name, this);
  }

  fail(code: string, message: string, hint: string): RdgError {
    return new RdgError("invalid", code, message, { place: this.place === "" ? "/" : this.place, hint });
  }

  /** Refuses members that are not among `allowed`; misspelt ones would be ignored silently otherwise. */
  object(allowed?: readonly string[]): this {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) {
      throw this.fail(
        "not_an_object",
        `Expected an object, got ${shown(this.value)}.`,
        allowed ? `Members: ${allowed.join(", ")}.` : "",
      );
    }
    if (allowed) {
      for (const name of Object.keys(this.value)) {
        if (!allowed.includes(name)) {
          throw this.at(name).fail("unknown_member", `There is no "${name}" here.`, didYouMean(name, allowed));
        }
      }
    }
    return this;
  }

  /** Whether the object has the member: what `at(name).present` says, without making a reader. */
  has(name: string): boolean {
    return Object.hasOwn(this.value as object, name) && (this.value as Record<string, unknown>)[name] !== undefined;
  }

  names(): string[] {
    return Object.keys(this.object().value as object);
  }

  list(what: string, countMin: number, countMax: number): JsonReader[] {
    if (!Array.isArray(this.value))
      throw this.fail("not_a_list", `Expected a list of ${what}, got ${shown(this.value)}.`, "");
    if (this.value.length < countMin || this.value.length > countMax) {
      const bounds = countMin > 0 ? `${countMin} to ${countMax}` : `at most ${countMax}`;
      throw this.fail("bad_count", `${this.value.length} ${what} were given.`, `Give ${bounds}.`);
    }
    return this.value.map((item, i) => new JsonReader(item, i, this));
  }

  text(what: string): string {
    if (typeof this.value !== "string")
      throw this.fail("not_a_string", `Expected ${what}, got ${shown(this.value)}.`, "");
    return this.value;
  }

  oneOf<const V extends string | boolean>(values: readonly V[]): V {
    const value = values.find((candidate) => candidate === this.value);
    if (value === undefined) {
      const hint =
        typeof this.value === "string" ? didYouMean(this.value, values.map(String)) : `Allowed: ${values.join(", ")}.`;
      throw this.fail("not_allowed", `${shown(this.value)} is not allowed here.`, hint);
    }
    return value;
  }

  integer(minimum: number, maximum: number): number {
    const value = this.value;
    if (typeof value !== "number" || !Number.isInteger(value) || value < minimum || value > maximum) {
      throw this.fail("out_of_range", `Expected an integer from ${minimum} to ${maximum}, got ${shown(value)}.`, "");
    }
    return value;
  }
}

/** A value as an error message quotes it: short, whatever it was. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
