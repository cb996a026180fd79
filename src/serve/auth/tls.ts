// Certificate and key of the server, and the authority of its clients: read from files, checked before they are used, and renewed when the files change.
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Server as HttpServer } from "node:http";
import { Server as HttpsServer } from "node:https";
import { type SecureContextOptions, createSecureContext } from "node:tls";
import type { Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { WatchedFiles } from "./watched-files.ts";

/** What a TLS server is made with: PEM. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs the certificates of clients; without it none is asked for. */
  readonly clientCa?: Buffer | undefined;
  /** Certificates of clients that their authority has taken back: a list per authority. */
  readonly crls?: readonly string[] | undefined;
}

export interface TlsOptions {
  /** Paths. */
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
  readonly crl?: string | undefined;
  /** Whether connections without a client certificate are refused. */
  readonly requireClientCert: boolean;
  readonly timers: Timers;
  readonly notice: (error: unknown) => void;
}

/** For every server of the process: each begins with `material`, and takes what it is told later. */
export class Tls {
  readonly requireClientCert: boolean;
  readonly #options: TlsOptions;
  readonly #files: WatchedFiles;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  #material: TlsMaterial | undefined;

  constructor(options: TlsOptions) {
    const { cert, key, clientCa, crl, timers, notice } = options;
    this.#options = options;
    this.requireClientCert = options.requireClientCert;
    const paths = [cert, key, clientCa, crl].filter((path) => path !== undefined);
    this.#files = new WatchedFiles({ paths, timers, notice, load: () => this.#load() });
  }

  get material(): TlsMaterial {
    if (this.#material === undefined) throw new RdgError("internal", "not_open", "TLS was not opened.");
    return this.#material;
  }

  /** @throws RdgError invalid, `bad_tls`, with the file */
  open(): Promise<void> {
    return this.#files.open();
  }

  close(): void {
    this.#files.close();
  }

  /** Looks at the files now, not only every few seconds. */
  look(): Promise<void> {
    return this.#files.look();
  }

  /** Connections from then on have the new certificate. */
  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.add(listener);
  }

  /** For `https.createServer`. */
  serverOptions(): SecureContextOptions & { readonly requestCert: boolean; readonly rejectUnauthorized: boolean } {
    const requestCert = this.material.clientCa !== undefined;
    return { ...contextOf(this.material), requestCert, rejectUnauthorized: this.requireClientCert };
  }

  /** Gives an https server what the files hold from then on. */
  keepCurrent(server: HttpServer): void {
    if (server instanceof HttpsServer) this.onChange((material) => server.setSecureContext(contextOf(material)));
  }

  async #load(): Promise<void> {
    const { cert, key, clientCa, crl } = this.#options;
    const material: TlsMaterial = {
      cert: await read(cert, "tls.cert"),
      key: await read(key, "tls.key"),
      ...(clientCa === undefined ? {} : { clientCa: await read(clientCa, "tls.clientCa") }),
      ...(crl === undefined ? {} : { crls: listsIn(await read(crl, "tls.crl")) }),
    };
    check(material, this.#options);
    const isFirst = this.#material === undefined;
    this.#material = material;
    if (!isFirst) for (const listener of this.#listeners) listener(material);
  }
}

function contextOf({ cert, key, clientCa, crls }: TlsMaterial): SecureContextOptions {
  return { cert, key, ...(clientCa && { ca: clientCa }), ...(crls && { crl: [...crls] }) };
}

/** OpenSSL takes one list at a time. */
function listsIn(pem: Buffer): string[] {
  return pem.toString("latin1").match(/-----BEGIN X509 CRL-----[\s\S]+?-----END X509 CRL-----\n?/g) ?? [];
}

async function read(path: string, setting: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new RdgError("invalid", "bad_tls", `The file of setting "${setting}" cannot be read.`, {
      place: path,
      hint: `${(error as Error).message}.`,
      cause: error,
    });
  }
}

/** The errors of OpenSSL name no file, and nothing of the key. */
function check({ cert, key, clientCa, crls }: TlsMaterial, options: TlsOptions): void {
  tried(() => new X509Certificate(cert), "tls.cert", options.cert, "is no certificate in PEM");
  if (clientCa !== undefined) {
    tried(() => new X509Certificate(clientCa), "tls.clientCa", options.clientCa!, "is no certificate in PEM");
  }
  if (crls !== undefined) {
    const lists = (): void => {
      if (crls.length === 0) throw new Error("There is no list in it.");
      createSecureContext({ crl: [...crls] });
    };
    tried(lists, "tls.crl", options.crl!, "is no list of revoked certificates (X509 CRL) in PEM");
  }
  tried(() => createSecureContext({ key }), "tls.key", options.key, "is no private key in PEM without a passphrase");
  tried(() => createSecureContext({ cert, key }), "tls.key", options.key, "is not the key of the certificate");
}

function tried<T>(run: () => T, setting: string, path: string, what: string): T {
  try {
    return run();
  } catch (cause) {
    const hint = "Files are PEM: a certificate with those between it and the root, and its key.";
    throw new RdgError("invalid", "bad_tls", `The file of setting "${setting}" ${what}.`, { place: path, hint, cause });
  }
}
