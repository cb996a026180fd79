// TLS: certificates that are served, renewed and asked for, who a client certificate makes of its holder, and files that are not usable.
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { type RequestOptions, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TLSSocket, connect } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemTimers } from "../../src/core/clock.ts";
import { CertificateClients, alternativeNames } from "../../src/serve/auth/certificates.ts";
import { Tls, type TlsOptions } from "../../src/serve/auth/tls.ts";
import { type Authority, issue, revocationList } from "./der.ts";
import { type Serving, type ServingWishes, openServing } from "./serving.ts";

let folder: string;
let ca: Authority;
let strangeCa: Authority;
let ownServer: Authority;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-tls-"));
  ca = issue({ commonName: "test authority" });
  strangeCa = issue({ commonName: "another authority" });
  ownServer = issue({ commonName: "localhost", dns: ["localhost"], issuer: ca });
  await writeFile(join(folder, "ca.pem"), ca.cert);
  await writeServer(ownServer);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function writeServer({ cert, key }: Authority): Promise<void> {
  await writeFile(join(folder, "cert.pem"), cert);
  await writeFile(join(folder, "key.pem"), key);
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openTls(options: Partial<TlsOptions> = {}): Promise<Tls> {
  const tls = new Tls({
    cert: join(folder, "cert.pem"),
    key: join(folder, "key.pem"),
    requireClientCert: false,
    timers: systemTimers,
    notice: () => undefined,
    ...options,
  });
  await tls.open();
  closers.push(() => tls.close());
  return tls;
}

async function serve(tls: Tls, wishes: ServingWishes = {}): Promise<Serving & { port: number; url: string }> {
  const serving = await openServing({ ...wishes, server: { tls } });
  closers.push(() => serving.close());
  return { ...serving, ...(await serving.server.listen()) };
}

/** The status, and the serial of the server's certificate. */
function ask(
  port: number,
  options: RequestOptions,
  path = "/v1/definition",
): Promise<{ status: number; serial: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "localhost", port, path, ca: ca.cert, agent: false, ...options }, (answer) => {
      const { serialNumber: serial } = (answer.socket as TLSSocket).getPeerCertificate();
      answer.resume().once("end", () => resolve({ status: answer.statusCode!, serial }));
    });
    asked.once("error", reject).end();
  });
}

describe("a server with TLS", () => {
  test("answers over https, to the authority's friends, and to nobody without", async () => {
    const { url, port, as } = await serve(await openTls());
    expect(url).toBe(`https://127.0.0.1:${port}`);
    const { authorization } = await as("read");
    expect(await ask(port, { headers: { authorization } })).toMatchObject({ status: 200 });
    expect(await ask(port, {})).toMatchObject({ status: 401 });
    await expect(ask(port, { ca: strangeCa.cert })).rejects.toThrow("certificate");
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow("fetch failed");
  });

  test("speaks no TLS older than 1.2", async () => {
    const { port } = await serve(await openTls());
    const failed = new Promise<Error>((resolve) => {
      connect({
        port,
        host: "127.0.0.1",
        ca: ca.cert,
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      }).once("error", resolve);
    });
    expect(await failed).toBeInstanceOf(Error);
  });

  test("takes a renewed certificate without a restart, keeps the old one while files do not fit, and says so once", async () => {
    const notices: unknown[] = [];
    const tls = await openTls({ notice: (error) => notices.push(error) });
    const { port } = await serve(tls);
    const before = await ask(port, {});
    const renewed = issue({ commonName: "localhost", dns: ["localhost"], issuer: ca });
    await writeFile(join(folder, "cert.pem"), renewed.cert);
    await tls.look();
    await tls.look();
    expect(notices).toMatchObject([{ code: "bad_tls", place: join(folder, "key.pem") }]);
    expect(await ask(port, {})).toEqual(before);
    await writeFile(join(folder, "key.new"), renewed.key);
    await rename(join(folder, "key.new"), join(folder, "key.pem"));
    await tls.look();
    const after = await ask(port, {});
    expect(after.status).toBe(401);
    expect(after.serial).not.toBe(before.serial);
    await writeServer(ownServer);
  });

  test.each([
    ["a certificate that is not there", { cert: "nowhere.pem" }, "tls.cert"],
    ["a key that is not there", { key: "nowhere.pem" }, "tls.key"],
    ["a key that is none", { key: "ca.pem" }, "tls.key"],
    ["a certificate that is none", { cert: "key.pem" }, "tls.cert"],
    ["the key of another certificate", { cert: "ca.pem" }, "tls.key"],
    ["an authority that is none", { clientCa: "key.pem" }, "tls.clientCa"],
  ])("does not start with %s", async (_, files, setting) => {
    const paths = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, join(folder, file)]));
    const error = await openTls(paths).then(
      () => undefined,
      (error: Error) => error,
    );
    expect(error).toMatchObject({ kind: "invalid", code: "bad_tls" });
    expect(error!.message).toContain(`"${setting}"`);
    expect(JSON.stringify(error)).not.toContain("PRIVATE KEY");
  });
});

describe("client certificates", () => {
  const clients = new CertificateClients(
    [
      { san: "DNS:ingest.example.com", name: "ingest", scopes: ["produce:playback"] },
      { san: "URI:spiffe://example/dashboard", scopes: ["read"] },
      { subject: "O=Example,CN=ops", scopes: ["admin"] },
    ],
    "clients.json",
  );
  const certificates = (): CertificateClients => clients;
  const credentials = (wishes: Parameters<typeof issue>[0]): RequestOptions => {
    const { cert, key } = issue(wishes);
    return { cert, key };
  };

  test("make their holders known, by alternative name or subject, if the authority has signed them", async () => {
    const { port } = await serve(await openTls({ clientCa: join(folder, "ca.pem") }), { certificates });
    const get = async (path: string, options: RequestOptions): Promise<number> =>
      (await ask(port, options, path)).status;
    const dashboard = credentials({ commonName: "x", uris: ["spiffe://example/dashboard"], issuer: ca });
    const ops = credentials({ commonName: "ops", organisation: "Example", issuer: ca });
    const ingest = credentials({ commonName: "x", dns: ["ingest.example.com"], issuer: ca });
    expect(await get("/v1/status", dashboard)).toBe(200);
    expect(await get("/v1/topics/events.playback/records", dashboard)).toBe(403);
    expect(await get("/v1/topics/events.playback/records", ops)).toBe(200);
    expect(await get("/v1/status", ingest)).toBe(403);
    expect(await get("/v1/definition", ingest)).toBe(200);
    const unknown: [string, RequestOptions][] = [
      ["none", {}],
      ["of another name", credentials({ commonName: "x", dns: ["other.example.com"], issuer: ca })],
      [
        "with a subject that only looks alike",
        credentials({ commonName: "ops", organisation: "Example,CN", issuer: ca }),
      ],
      ["with the whole subject in its name", credentials({ commonName: "O=Example,CN=ops", issuer: ca })],
      ["with a name within a name", credentials({ commonName: "x", dns: ["a, DNS:ingest.example.com"], issuer: ca })],
      [
        "with a name within a URI",
        credentials({ commonName: "x", uris: ["http://a/, DNS:ingest.example.com, URI:b"], issuer: ca }),
      ],
      ["of another authority", credentials({ commonName: "x", dns: ["ingest.example.com"], issuer: strangeCa })],
      ["signed by itself", credentials({ commonName: "x", dns: ["ingest.example.com"] })],
      ["expired", credentials({ commonName: "x", dns: ["ingest.example.com"], issuer: ca, expired: true })],
    ];
    for (const [what, options] of unknown) expect([what, await get("/v1/definition", options)]).toEqual([what, 401]);
  });

  test("count no more once their authority has taken them back, also for who asks before the list is there", async () => {
    const holder = issue({ commonName: "ops", organisation: "Example", issuer: ca });
    const other = issue({ commonName: "ops", organisation: "Example", issuer: ca });
    const crl = join(folder, "crl.pem");
    await writeFile(crl, revocationList(ca, []));
    const notices: unknown[] = [];
    const notice = (error: unknown): number => notices.push(error);
    const tls = await openTls({ clientCa: join(folder, "ca.pem"), crl, notice });
    const { port } = await serve(tls, { certificates });
    const status = async ({ cert, key }: Authority): Promise<number> =>
      (await ask(port, { cert, key }, "/v1/status")).status;
    expect([await status(holder), await status(other)]).toEqual([200, 200]);
    // Of two authorities, in one file.
    await writeFile(crl, revocationList(strangeCa, []) + revocationList(ca, [holder]));
    await tls.look();
    expect([await status(holder), await status(other)]).toEqual([401, 200]);
    await writeFile(crl, ca.cert);
    await tls.look();
    expect(notices).toMatchObject([{ code: "bad_tls", place: crl }]);
    expect([await status(holder), await status(other)]).toEqual([401, 200]);
  });

  test("do not stand in for a key that is sent and wrong", async () => {
    const { port, as } = await serve(await openTls({ clientCa: join(folder, "ca.pem") }), { certificates });
    const ops = credentials({ commonName: "ops", organisation: "Example", issuer: ca });
    expect((await ask(port, { ...ops, headers: { authorization: "Bearer wrong" } }, "/v1/status")).status).toBe(401);
    const { authorization } = await as("produce");
    expect((await ask(port, { ...ops, headers: { authorization } }, "/v1/status")).status).toBe(403);
  });

  test("may be required of every connection", async () => {
    const tls = await openTls({ clientCa: join(folder, "ca.pem"), requireClientCert: true });
    const { port, as } = await serve(tls);
    await expect(ask(port, {}, "/livez")).rejects.toThrow();
    await expect(ask(port, credentials({ commonName: "x", issuer: strangeCa }), "/livez")).rejects.toThrow();
    const known = credentials({ commonName: "x", issuer: ca });
    expect((await ask(port, known, "/livez")).status).toBe(200);
    expect((await ask(port, known)).status).toBe(401);
    const { authorization } = await as("read");
    expect((await ask(port, { ...known, headers: { authorization } })).status).toBe(200);
  });

  test.each<[string | undefined, string[]]>([
    [undefined, []],
    ["DNS:a, DNS:b, IP Address:127.0.0.1", ["DNS:a", "DNS:b", "IP Address:127.0.0.1"]],
    ['URI:"http://a/, DNS:b"', ["URI:http://a/, DNS:b"]],
    ['DNS:"a\\u002c DNS:b", DNS:c', ["DNS:a, DNS:b", "DNS:c"]],
    ['DNS:"a, DNS:b', []],
    ['DNS:"\\x", DNS:b', []],
    ["DNS:a,DNS:b", []],
    ["a", []],
    ["", []],
  ])("names of %j are %j", (written, names) => {
    expect(alternativeNames(written)).toEqual(names);
  });

  test.each([
    ["neither a name nor a subject", { scopes: ["read"] }],
    ["both", { san: "DNS:a", subject: "CN=a", scopes: ["read"] }],
    ["no scopes", { san: "DNS:a" }],
    ["a scope that there is not", { san: "DNS:a", scopes: ["raed"] }],
    ["a rate that is none", { san: "DNS:a", scopes: ["read"], requestsPerSecond: 0.5 }],
    ["nothing", null],
  ])("a file that names a client with %s is refused", async (_, client) => {
    const path = join(folder, "clients.json");
    await writeFile(path, JSON.stringify({ clients: [client] }));
    await expect(CertificateClients.read(path)).rejects.toMatchObject({ kind: "invalid", place: `${path}#/clients/0` });
    await writeFile(
      path,
      JSON.stringify({
        clients: [
          { san: "DNS:a", scopes: ["read"] },
          { san: "DNS:a", scopes: ["read"] },
        ],
      }),
    );
    await expect(CertificateClients.read(path)).rejects.toMatchObject({ code: "bad_clients_file" });
    await writeFile(path, "[]");
    await expect(CertificateClients.read(path)).rejects.toMatchObject({ code: "bad_clients_file" });
  });
});
