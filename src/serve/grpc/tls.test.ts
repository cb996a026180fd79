// gRPC over TLS: certificates that are served and renewed, and clients that are known by theirs.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChannelCredentials, credentials, status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Authority, issue } from "../../../test/auth/der.ts";
import { openServing } from "../../../test/auth/serving.ts";
import { RpcClient, openLoopback } from "../../../test/grpc/loopback.ts";
import { systemTimers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import { GetNodesRequest, GetNodesResponse } from "../../model/rpc/generated/rdg/v1/question.ts";
import type { Queries } from "../../query/port.ts";
import { CertificateClients } from "../auth/certificates.ts";
import type { Access, Credentials } from "../auth/port.ts";
import { Tls } from "../auth/tls.ts";

const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [{ name: "n", properties: [] }],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};
const queries = { nodes: async () => ({ nodes: [], asOf: [] }) } as unknown as Queries;

let folder: string;
let ca: Authority;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-grpc-tls-"));
  ca = issue({ commonName: "test authority" });
  await writeFile(join(folder, "ca.pem"), ca.cert);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function writeServer(commonName: string): Promise<void> {
  const { cert, key } = issue({ commonName, dns: ["localhost"], issuer: ca });
  await writeFile(join(folder, "cert.pem"), cert);
  await writeFile(join(folder, "key.pem"), key);
}

async function serve(access?: Access, requireClientCert = false): Promise<{ port: number; tls: Tls }> {
  await writeServer("first");
  const tls = new Tls({
    cert: join(folder, "cert.pem"),
    key: join(folder, "key.pem"),
    clientCa: join(folder, "ca.pem"),
    requireClientCert,
    timers: systemTimers,
    notice: () => undefined,
  });
  await tls.open();
  closers.push(() => tls.close());
  const loopback = await openLoopback({ model, queries, grpc: { tls, ...(access && { access }) } });
  closers.push(() => loopback.close());
  return { port: loopback.port, tls };
}

async function ask(port: number, encryption: ChannelCredentials): Promise<unknown> {
  const options = { "grpc.ssl_target_name_override": "localhost" };
  const client = new RpcClient(`127.0.0.1:${port}`, options, {}, encryption);
  try {
    const request = GetNodesRequest.fromPartial({ type: "n", ids: ["a"] });
    return await client.unary("/rdg.v1.GraphService/GetNodes", GetNodesRequest, GetNodesResponse, request);
  } finally {
    client.close();
  }
}

const answered = { nodes: [], asOf: [] };

test("who knows the authority is answered, others and those without TLS are not", async () => {
  const { port } = await serve();
  expect(await ask(port, credentials.createSsl(Buffer.from(ca.cert)))).toEqual(answered);
  const other = issue({ commonName: "another authority" });
  const refused = { code: status.UNAVAILABLE };
  await expect(ask(port, credentials.createSsl(Buffer.from(other.cert)))).rejects.toMatchObject(refused);
  await expect(ask(port, credentials.createInsecure())).rejects.toMatchObject(refused);
});

test("a renewed certificate is served from the next connection on", async () => {
  const { port, tls } = await serve();
  const seen: (string | undefined)[] = [];
  const looking = (): ChannelCredentials =>
    credentials.createSsl(Buffer.from(ca.cert), null, null, {
      checkServerIdentity: (_host, { subject }) => {
        seen.push([subject.CN].flat()[0]);
        return undefined;
      },
    });
  await ask(port, looking());
  await writeServer("second");
  await tls.look();
  await ask(port, looking());
  expect(seen).toEqual(["first", "second"]);
});

test("a client is known by its certificate if the authority has signed it", async () => {
  const seen: Credentials[] = [];
  const access: Access = {
    required: true,
    enter(given) {
      seen.push(given);
      if (given.certificate === undefined) throw new RdgError("unauthorized", "no_credentials", "Who are you?");
      const grants = { admin: false, observe: false, read: "all", produce: "all" } as const;
      return { kind: "certificate", id: "certificate:x", name: "x", grants };
    },
    charge: () => undefined,
    ended: () => undefined,
  };
  const { port } = await serve(access);
  const root = Buffer.from(ca.cert);
  const withCertificate = ({ cert, key }: Authority): ChannelCredentials =>
    credentials.createSsl(root, Buffer.from(key), Buffer.from(cert));
  const known = issue({ commonName: "ingest", dns: ["ingest.test"], issuer: ca });
  expect(await ask(port, withCertificate(known))).toEqual(answered);
  expect(seen[0]!.certificate).toEqual({ subject: "CN=ingest", subjectAltName: "DNS:ingest.test" });
  const unauthenticated = { code: status.UNAUTHENTICATED };
  await expect(ask(port, withCertificate(issue({ commonName: "ingest" })))).rejects.toMatchObject(unauthenticated);
  await expect(ask(port, credentials.createSsl(root))).rejects.toMatchObject(unauthenticated);
});

test("scopes of a client certificate hold for calls, and connections without one are refused where it is required", async () => {
  const certificates = new CertificateClients(
    [
      { san: "URI:spiffe://example/dashboard", scopes: ["read"] },
      { san: "DNS:ingest.test", scopes: ["produce"] },
    ],
    "clients.json",
  );
  const checked = await openServing({ certificates: () => certificates });
  closers.push(() => checked.close());
  const { port } = await serve(checked.access, true);
  const root = Buffer.from(ca.cert);
  const as = (wishes: Parameters<typeof issue>[0]): ChannelCredentials => {
    const { cert, key } = issue({ issuer: ca, ...wishes });
    return credentials.createSsl(root, Buffer.from(key), Buffer.from(cert));
  };
  expect(await ask(port, as({ commonName: "x", uris: ["spiffe://example/dashboard"] }))).toEqual(answered);
  const refused = (code: status) => ({ code });
  const ingest = ask(port, as({ commonName: "x", dns: ["ingest.test"] }));
  await expect(ingest).rejects.toMatchObject(refused(status.PERMISSION_DENIED));
  const stranger = ask(port, as({ commonName: "x", dns: ["other.test"] }));
  await expect(stranger).rejects.toMatchObject(refused(status.UNAUTHENTICATED));
  await expect(ask(port, credentials.createSsl(root))).rejects.toMatchObject(refused(status.UNAVAILABLE));
});
