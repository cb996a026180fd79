// Finds and loads a user's definition: a TypeScript or JavaScript module whose default export is a graph.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { RdgError } from "../core/errors.ts";
import { isGraph, type Graph } from "../index.ts";
import { resolvePackageToThisCopy } from "./this-copy.ts";

const candidates = ["graph.ts", "graph.mts", "graph.js", "graph.mjs"];

/** The file that is meant: the one named, or the first of `graph.ts`, `graph.js` ... in the working folder. */
export function findGraphFile(named: string | undefined): string {
  const names = named === undefined ? candidates : [named];
  const found = names.map((name) => resolve(name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new RdgError("not_found", "no_definition", `There is no ${names.join(", ")}.`, {
    hint: "Name the file that exports your graph, or make a new one with `rdg init my-graph`.",
  });
}

/** @throws RdgError `not_found`, or `invalid` where the module fails or exports no graph */
export async function loadGraph(named: string | undefined): Promise<Graph> {
  const path = findGraphFile(named);
  resolvePackageToThisCopy();
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    if (error instanceof RdgError) throw error;
    throw new RdgError("invalid", "definition_failed", `${path} cannot be loaded: ${String(error)}`, { cause: error });
  }
  if (isGraph(module.default)) return module.default;
  throw new RdgError("invalid", "no_graph", `${path} does not export a graph.`, {
    hint: "End the file with `export default defineGraph(name, { jobs: [...] })`.",
  });
}
