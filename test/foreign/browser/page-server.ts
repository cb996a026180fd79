// The web server of a team's page: the page, its program in one file, where RDG is, and what the program tells.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import type { Outcome } from "./program.ts";

const program = fileURLToPath(new URL("program.ts", import.meta.url));
const html =
  '<!doctype html><meta charset="utf-8"><title>A page</title><script type="module" src="/program.js"></script>';

export interface PageServer {
  readonly origin: string;
  /** Where the program finds RDG. */
  server: string;
  /** What the program tells next. */
  outcome(): Promise<Outcome>;
  close(): Promise<void>;
}

/** As a team's own build would make it: a module of Node in it is an error. */
export async function bundled(): Promise<string> {
  const bundle = await rolldown({
    input: program,
    platform: "browser",
    resolve: { conditionNames: ["rdg-source", "browser", "import"] },
    logLevel: "warn",
    onLog: (_, { message }) => {
      throw new Error(message);
    },
  });
  const { output } = await bundle.generate({ format: "es" });
  await bundle.close();
  if (output.length !== 1) throw new Error(`A program of one file was expected, not of ${output.length}`);
  return output[0].code;
}

export async function servePage(script: string): Promise<PageServer> {
  let told = Promise.withResolvers<Outcome>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const reply = (type: string, body: string): unknown => response.writeHead(200, { "content-type": type }).end(body);
    if (request.url === "/") reply("text/html", html);
    else if (request.url === "/program.js") reply("text/javascript", script);
    else if (request.url === "/server") reply("text/plain", page.server);
    else if (request.url === "/outcome") {
      told.resolve(JSON.parse(await text(request)) as Outcome);
      reply("text/plain", "");
    } else response.writeHead(404).end();
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const page: PageServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server: "",
    async outcome() {
      const next = await told.promise;
      told = Promise.withResolvers<Outcome>();
      return next;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return page;
}
