// Requests of the command line to a running RDG, whose problem answers become the same errors as anywhere else.
import { RdgError, type ErrorKind } from "../core/errors.ts";

export const defaultUrl = "http://127.0.0.1:7400";

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

/** Sends one request. @throws RdgError `unavailable` when nobody answers; otherwise what the problem answer says. */
export async function request(url: string, path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(new URL(path, url), init);
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

export async function requestJson<T>(url: string, path: string, init?: RequestInit): Promise<T> {
  const response = await request(url, path, init);
  return (await response.json()) as T;
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
