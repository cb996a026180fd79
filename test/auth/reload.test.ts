// SIGHUP: a running server reads keys and certificates anew at once, and goes on.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ServerProcess } from "../crash/server-process.ts";
import { type Authority, issue } from "./der.ts";

let folder: string;
let server: ServerProcess;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-reload-"));
  server = new ServerProcess(join(folder, "data"));
});
afterEach(async () => {
  await server.kill();
  await rm(folder, { recursive: true, force: true });
});

async function writeCertificate({ cert, key }: Authority): Promise<void> {
  await writeFile(join(folder, "cert.pem"), cert);
  await writeFile(join(folder, "key.pem"), key);
}

/** Common name of the certificate that a new connection gets. */
function served(ca: string): Promise<string> {
  const port = Number(new URL(server.url!).port);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

test("SIGHUP has a new certificate served from then on, and a bad one told", async () => {
  const ca = issue({ commonName: "test authority" });
  await writeCertificate(issue({ commonName: "first", dns: ["localhost"], issuer: ca }));
  const files = ["--tls-cert", join(folder, "cert.pem"), "--tls-key", join(folder, "key.pem")];
  await server.start(["--log-level", "info", "--grpc-port", "off", ...files]);
  expect(await served(ca.cert)).toBe("first");
  await writeCertificate(issue({ commonName: "second", dns: ["localhost"], issuer: ca }));
  process.kill(server.pid!, "SIGHUP");
  // Said at once; without it, files are looked at every five seconds.
  await server.said(/keys and certificates were looked at/);
  expect(await served(ca.cert)).toBe("second");
  await writeFile(join(folder, "key.pem"), "no key");
  process.kill(server.pid!, "SIGHUP");
  await server.said(/the certificate in use stays/);
  expect(await served(ca.cert)).toBe("second");
  expect(await server.stop("SIGTERM")).toMatchObject({ code: 0 });
});
