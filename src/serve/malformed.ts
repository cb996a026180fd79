// Answers to what node:http cannot read, or what does not come in time. There is no request to answer then, only a socket.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { RdgError } from "../core/errors.ts";
import { problemOf, problemType } from "./problems.ts";
import { whenOver } from "./when-over.ts";

/** Where a connection keeps its requests: a map beside connections costs more. */
const open = Symbol("open");

interface WithOpen extends Socket {
  [open]?: Map<IncomingMessage, ServerResponse>;
}

/**
 * Knows which requests of a connection have come whole and are not answered yet. What follows them on the connection may be unreadable: told at once, that
 * would be taken for the answer to the first of them, which may be stored all the same.
 */
export class OpenRequests {
  add(request: IncomingMessage, response: ServerResponse): void {
    const socket: WithOpen = request.socket;
    const held = (socket[open] ??= new Map());
    held.set(request, response);
    whenOver(response, () => held.delete(request));
  }

  answerMalformed(error: Error & { readonly code?: string }, socket: Socket): void {
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    const unanswered = [...((socket as WithOpen)[open] ?? [])].flatMap(([{ complete }, response]) =>
      complete ? [response] : [],
    );
    if (unanswered.length === 0) return endWith(socket, malformed(error.code));
    let left = unanswered.length;
    for (const response of unanswered) {
      response.once("close", () => {
        if (--left === 0) socket.destroySoon();
      });
    }
  }
}

function endWith(socket: Socket, error: RdgError): void {
  const problem = problemOf(error);
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nContent-Type: ${problemType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function malformed(code: string | undefined): RdgError {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new RdgError("invalid", "request_timeout", "The request took too long to come.");
  if (code === "HPE_HEADER_OVERFLOW") return new RdgError("invalid", "headers_too_large", "The headers are too large.");
  return new RdgError("invalid", "bad_http", "This is not an HTTP request.");
}
