// What browsers load for `rdg/client`, and for the definitions that it is given: our own modules, and nothing that only Node has.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

interface Loaded {
  readonly files: ReadonlyMap<string, string>;
  /** Names that lead out of this package, and who imports them. */
  readonly foreign: readonly string[];
}

/** Everything that importing this module loads. Types are gone by then. */
function load(entry: URL): Loaded {
  const files = new Map<string, string>();
  const foreign: string[] = [];
  const visit = (url: URL): void => {
    if (files.has(url.href)) return;
    const source = readFileSync(fileURLToPath(url), "utf8");
    files.set(url.href, source);
    const imports = source.matchAll(
      /^\s*(?:import|export)\s(?!type\b)[^;"]*?\bfrom\s*"([^"]+)"|\bimport\(?\s*"([^"]+)"/gm,
    );
    for (const [, from, direct] of imports) {
      const name = (from ?? direct)!;
      if (name.startsWith(".")) visit(new URL(name, url));
      else foreign.push(`${url.pathname}: ${name}`);
    }
  };
  visit(entry);
  return { files, foreign };
}

const globals = /(?<![\w.$"'`])(?:Buffer|process|global|require|__dirname|setImmediate)\b(?=[.([])/;

test.each(["./index.ts", "../index.ts"])("%s loads nothing that only Node has", (entry) => {
  const { files, foreign } = load(new URL(entry, import.meta.url));
  expect(files.size).toBeGreaterThan(15);
  expect(foreign).toEqual([]);
  const using = [...files].filter(([, source]) => globals.test(withoutComments(source))).map(([path]) => path);
  expect(using).toEqual([]);
});

test("what is looked for would be found", () => {
  const grpc = load(new URL("./grpc/index.ts", import.meta.url));
  expect(grpc.foreign.some((name) => name.endsWith("node:fs"))).toBe(true);
  expect(grpc.foreign.some((name) => name.endsWith("@grpc/grpc-js"))).toBe(true);
  expect([...grpc.files.values()].some((source) => globals.test(withoutComments(source)))).toBe(true);
});

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
}
