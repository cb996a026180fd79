// Requests of the command line to a running RDG, whose problem answers become the same errors as anywhere else.
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { RdgError, type ErrorKind } from "../core/errors.ts";
import {
  type AskedEnrichmentModel,
  type GraphModel,
  type ServedDefinition,
  definitionFormat,
} from "../model/definition.ts";
import { say } from "./output.ts";

const defaultUrl = "http://127.0.0.1:7400";

/** A server, as the options of a command name it. */
export interface ServerOptions {
  readonly url: string;
  readonly tokenFile?: string | undefined;
}

/** @param what what the server is asked for, such as "address of the RDG to ask" */
export function addServerOptions(command: Command, what: string): Command {
  return addTokenOption(command.option("--url <url>", what, defaultUrl));
}

/** There is no option that takes the token itself: it would stay in the history of the shell, and in the list of processes for everybody to see. */
export function addTokenOption(command: Command): Command {
  return command.option(
    "--token-file <file>",
    "file with the key or token to ask with (default: the variable RDG_TOKEN)",
  );
}

const kindOfStatus: Readonly<Record<number, ErrorKind>> = {
  401: "unauthorized",
  403: "unauthorized",
  404: "not_found",
  409: "conflict",
  429: "overloaded",
  503: "unavailable",
  504: "unavailable",
};

/** A problem answer (RFC 9457) with the fields that RDG adds. */
export interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly hint?: string;
  readonly place?: string;
  readonly errors?: readonly { readonly index: number; readonly field?: string; readonly reason: string }[];
}

/** The definition that a server runs. @throws RdgError invalid, `unknown_definition` of another version's */
export async function servedDefinition(
  server: ServerOptions,
  init: RequestInit = {},
): Promise<{ readonly model: GraphModel; readonly enrichments: readonly AskedEnrichmentModel[] }> {
  const { enrichments = [], ...model } = await requestJson<ServedDefinition>(server, "/v1/definition", init);
  const format: number = model.format;
  if (format === definitionFormat) return { model, enrichments };
  throw new RdgError("invalid", "unknown_definition", `The server's definition has format ${format}.`, {
    hint: "Use the version of rdg that the server runs.",
  });
}

/** Sends one request. @throws RdgError `unavailable` when nobody answers; otherwise what the problem answer says. */
export async function request(server: ServerOptions, path: string, init: RequestInit = {}): Promise<Response> {
  const { url } = server;
  const headers = new Headers(init.headers);
  const token = tokenOf(server);
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  let response: Response;
  try {
    // A token must not follow a redirect.
    response = await fetch(new URL(path, url), {
      ...init,
      headers,
      redirect: token === undefined ? "follow" : "error",
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new RdgError("unavailable", "not_running", `No RDG answers at ${url}.`, {
      hint: "Start one with `rdg dev`, or name another with --url.",
      cause: error,
    });
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

export async function requestJson<T>(server: ServerOptions, path: string, init?: RequestInit): Promise<T> {
  const response = await request(server, path, init);
  return (await response.json()) as T;
}

let warned = false;

/** @throws RdgError invalid, `bad_token`, which never holds the token */
function tokenOf({ url, tokenFile }: ServerOptions): string | undefined {
  const token = tokenFile === undefined ? process.env["RDG_TOKEN"]?.trim() : readToken(tokenFile);
  if (token === undefined || token === "") return undefined;
  const place = tokenFile ?? "RDG_TOKEN";
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new RdgError("invalid", "bad_token", "The token has characters that no token has.", { place });
  }
  const { protocol, hostname } = URL.parse(url) ?? {};
  if (protocol === "http:" && !["localhost", "127.0.0.1", "[::1]"].includes(hostname ?? "") && !warned) {
    warned = true;
    say(`rdg: the token is sent unencrypted to ${hostname}; ask with https`);
  }
  return token;
}

function readToken(path: string): string {
  try {
    const token = readFileSync(path, "utf8").trim();
    if (token !== "") return token;
  } catch (error) {
    throw new RdgError("not_found", "bad_token", `The token cannot be read: ${(error as Error).message}.`, {
      place: path,
    });
  }
  throw new RdgError("invalid", "bad_token", "The file has no token.", { place: path });
}

async function errorOf(response: Response): Promise<RdgError> {
  const text = await response.text();
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    problem = { detail: text.slice(0, 300) };
  }
  const listed = (problem.errors ?? [])
    .slice(0, 5)
    .map(({ index, field, reason }) => `\n  record ${index}${field === undefined ? "" : `, ${field}`}: ${reason}`)
    .join("");
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  const message = problem.detail ?? problem.title ?? `The server answered ${response.status}.`;
  return new RdgError(
    kindOfStatus[response.status] ?? (response.status >= 500 ? "internal" : "invalid"),
    problem.code ?? `http_${response.status}`,
    message + listed,
    {
      place: problem.place,
      hint: problem.hint,
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : undefined,
    },
  );
}
