// What a process of a cluster does: any mix of roles, in any number of processes.
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";

/**
 * - `gateway` takes events and rows of side inputs.
 * - `jobs` turns events into updates.
 * - `store` writes updates to a store that processes share.
 * - `serve` answers queries; where no store is shared, from a replica of its own.
 * - `registry` keeps the schemas, behind Confluent's REST API.
 */
export const allRoles = ["gateway", "jobs", "store", "serve", "registry"] as const;

export type Role = (typeof allRoles)[number];
export type Roles = ReadonlySet<Role>;

/** @throws RdgError invalid, `bad_setting` */
export function parseRoles(text: string): Roles {
  const names = text.split(",").flatMap((each) => each.trim() || []);
  if (names.length === 0) throw badRoles("The process has no role.", `Roles are ${allRoles.join(", ")}.`);
  return new Set(names.map(roleOf));
}

function roleOf(name: string): Role {
  const role = allRoles.find((each) => each === name);
  if (role !== undefined) return role;
  throw badRoles(`There is no role "${name}".`, didYouMean(name, allRoles));
}

function badRoles(message: string, hint: string | undefined): RdgError {
  return new RdgError("invalid", "bad_setting", message, { place: "role", hint });
}
