// Scopes as keys, tokens and settings write them: `read`, `read:watched`, `produce`, `produce:playback`, `observe`, `admin`.
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";
import type { Grants } from "./port.ts";

const words = ["read", "produce", "observe", "admin"];
/** A scope of a token may name whatever its issuer likes; ours are names of a definition. */
const scopePattern = /^(?<word>read|produce|observe|admin)(?::(?<name>[A-Za-z_][A-Za-z0-9_]{0,199}))?$/;
const scopesMax = 1_000;

/** @throws RdgError invalid, `bad_scope` */
export function grantsOf(scopes: readonly string[], place?: string): Grants {
  if (scopes.length > scopesMax) throw badScope(`There are more than ${scopesMax} scopes.`, undefined, place);
  const grants = new GrantsBuilder();
  for (const scope of scopes) {
    if (!grants.add(scope)) throw badScope(`${JSON.stringify(scope.slice(0, 100))} is no scope.`, scope, place);
  }
  return grants.finish();
}

/** Of a token that somebody else issued: it has scopes for others, too, which say nothing here. */
export function grantsOfForeign(scopes: readonly string[]): Grants {
  const grants = new GrantsBuilder();
  for (const scope of scopes.slice(0, scopesMax)) grants.add(scope);
  return grants.finish();
}

class GrantsBuilder {
  readonly #all = new Set<string>();
  readonly #read = new Set<string>();
  readonly #produce = new Set<string>();

  /** False when it is no scope of ours. */
  add(scope: string): boolean {
    const { word, name } = scopePattern.exec(scope)?.groups ?? {};
    if (word === undefined) return false;
    if (name === undefined) this.#all.add(word);
    else if (word === "read") this.#read.add(name);
    else if (word === "produce") this.#produce.add(name);
    else return false;
    return true;
  }

  finish(): Grants {
    const admin = this.#all.has("admin");
    const readsAll = admin || this.#all.has("read");
    return Object.freeze({
      admin,
      observe: readsAll || this.#all.has("observe"),
      read: readsAll ? "all" : this.#read,
      produce: admin || this.#all.has("produce") ? "all" : this.#produce,
    });
  }
}

function badScope(message: string, scope: string | undefined, place: string | undefined): RdgError {
  const near = scope === undefined ? "" : ` ${didYouMean(scope, words)}`;
  return new RdgError("invalid", "bad_scope", message, {
    place,
    hint: `Scopes are read, read:<node or edge type>, produce, produce:<event or side input>, observe and admin.${near}`,
  });
}
