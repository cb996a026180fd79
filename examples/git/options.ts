// The options of the demo.
import { createHash } from "node:crypto";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { GitError } from "./git.ts";

export const help = `Usage: npm run demo -- [options]

Turns the history of a git repository into a graph of people, commits, files and folders, asks it a few questions, and follows new commits.

  --repo PATH   the repository (default: this one)
  --data PATH   folder of the graph (default: .rdg-demo/<name>); the next start goes on where this one stopped
  --port N      port of the server (default: 7400, or a free one where that is taken)
  --once        exit after the answers
  --json        answers and new commits as JSON lines on stdout
  --help

Example:
  npm run demo -- --repo ~/src/my-project`;

export interface Options {
  readonly repo: string;
  readonly data: string | undefined;
  readonly port: number | undefined;
  readonly once: boolean;
  readonly json: boolean;
}

/** Undefined: help is asked for. */
export function readOptions(args: string[]): Options | undefined {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({
    args,
    options: { repo: text, data: text, port: text, once: flag, json: flag, help: flag },
  });
  if (values.help === true) return undefined;
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new GitError(`--port ${values.port} is not a port: give a number from 0 to 65535.`);
  }
  return {
    repo: resolve(values.repo ?? join(import.meta.dirname, "../..")),
    data: values.data,
    port,
    once: values.once === true,
    json: values.json === true,
  };
}

/** The repository's own folder below .rdg-demo: two of the same name stay apart. */
export function dataFolderOf(repository: string): string {
  const name = basename(repository).replaceAll(/[^A-Za-z0-9._-]/g, "_");
  return join(".rdg-demo", `${name}-${createHash("sha256").update(repository).digest("hex").slice(0, 8)}`);
}
