// Settings as one typed list: each has a name, a type and a default, and is taken from flags, environment, file or default, in this order.
import { RdgError } from "./errors.ts";
import { parseDuration, parseSize } from "./units.ts";

interface SettingKinds {
  text: string;
  integer: number;
  /** Bytes, written `64MB`. */
  size: number;
  /** Milliseconds, written `5m`. */
  duration: number;
  boolean: boolean;
}

export interface Setting<K extends keyof SettingKinds = keyof SettingKinds> {
  readonly kind: K;
  readonly default: SettingKinds[K];
  readonly description: string;
  readonly min?: number;
  readonly max?: number;
  /** Never printed. */
  readonly secret?: boolean;
}

/** Settings by name, such as `store.memory`. */
export type SettingList = Readonly<Record<string, Setting>>;
export type SettingValues<L extends SettingList> = { readonly [N in keyof L]: SettingKinds[L[N]["kind"]] };

export interface SettingSources {
  /** Parsed settings file: nested (`{ store: { memory: "2GB" } }`) or flat (`{ "store.memory": "2GB" }`). */
  readonly file?: { readonly path: string; readonly content: unknown };
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** By setting name; undefined where the flag was not given. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

export interface ResolvedSettings<L extends SettingList> {
  readonly values: SettingValues<L>;
  /** Where each value came from: `default`, the file's path, the variable's or the flag's name. */
  readonly origins: Readonly<Record<string, string>>;
}

/** `store.memory` is `RDG_STORE_MEMORY` in the environment and `--store-memory` on the command line. */
export const variableOf = (name: string): string => `RDG_${kebabOf(name).replaceAll("-", "_").toUpperCase()}`;
export const flagOf = (name: string): string => `--${kebabOf(name)}`;
const kebabOf = (name: string): string =>
  name.replaceAll(".", "-").replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** @throws RdgError invalid: `unknown_setting`, `bad_setting`, with the place that the value came from */
export function resolveSettings<const L extends SettingList>(list: L, sources: SettingSources): ResolvedSettings<L> {
  const file = flatten(sources.file?.content, list, sources.file?.path ?? "");
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const [name, setting] of Object.entries(list)) {
    const flag = sources.flags?.[name];
    const variable = sources.environment?.[variableOf(name)];
    const written = flag ?? variable ?? file.get(name);
    if (flag !== undefined) origins[name] = flagOf(name);
    else if (variable !== undefined) origins[name] = variableOf(name);
    else if (file.has(name)) origins[name] = sources.file!.path;
    else origins[name] = "default";
    values[name] = written === undefined ? setting.default : parse(written, name, setting, origins[name]);
  }
  return { values: Object.freeze(values) as SettingValues<L>, origins: Object.freeze(origins) };
}

function flatten(content: unknown, list: SettingList, path: string): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  const visit = (value: unknown, prefix: string): void => {
    if (value === null || typeof value !== "object") throw unknownSetting(prefix, list, path);
    for (const [key, inner] of Object.entries(value)) {
      const name = prefix === "" ? key : `${prefix}.${key}`;
      if (Object.hasOwn(list, name)) flat.set(name, inner);
      else visit(inner, name);
    }
  };
  if (content !== undefined) visit(content, "");
  return flat;
}

function unknownSetting(name: string, list: SettingList, path: string): RdgError {
  return new RdgError("invalid", "unknown_setting", `There is no setting "${name}".`, {
    place: path,
    hint: `Settings are: ${Object.keys(list).join(", ")}.`,
  });
}

function parse(written: unknown, name: string, setting: Setting, origin: string): unknown {
  const bad = (expected: string): RdgError =>
    new RdgError("invalid", "bad_setting", `Setting "${name}" is ${JSON.stringify(written)}, not ${expected}.`, {
      place: origin,
      hint: `${setting.description} Default: ${String(setting.default)}.`,
    });
  if (setting.kind === "text") {
    if (typeof written !== "string") throw bad("a text");
    return written;
  }
  if (setting.kind === "boolean") {
    if (written === true || written === "true" || written === "1") return true;
    if (written === false || written === "false" || written === "0") return false;
    throw bad("true or false");
  }
  const number = numberOf(written, setting.kind, origin);
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = setting;
  if (!Number.isSafeInteger(number) || number < min || number > max) throw bad(`between ${min} and ${max}`);
  return number;
}

function numberOf(written: unknown, kind: "integer" | "size" | "duration", origin: string): number {
  if (typeof written === "number") return written;
  if (typeof written !== "string") return Number.NaN;
  if (kind === "duration") return parseDuration(written, origin);
  if (kind === "size") return parseSize(written, origin);
  return /^-?\d{1,16}$/.test(written) ? Number(written) : Number.NaN;
}
