// A server that reads requests and answers a fixed number of bytes, by node:http alone or with fastify: what of a figure is not the product's.
//   node bench/http-floor.ts node|fastify BYTES     prints its port
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fastify from "fastify";

const [kind, bytes] = [process.argv[2], Number(process.argv[3])];
const answer = Buffer.alloc(bytes, 0x20);
const type = "application/json; charset=utf-8";
const tell = (port: number): boolean => process.stdout.write(`${port}\n`);

if (kind === "node") {
  const server = createServer((request, response) => {
    request.on("data", () => undefined);
    request.on("end", () => {
      response.writeHead(200, { "content-type": type, "content-length": bytes });
      response.end(answer);
    });
  });
  server.listen(0, "127.0.0.1", () => tell((server.address() as AddressInfo).port));
} else {
  const app = fastify({ logger: false });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.all("/*", (_request, reply) => reply.type(type).send(answer));
  await app.listen({ port: 0, host: "127.0.0.1" });
  tell((app.server.address() as AddressInfo).port);
}
