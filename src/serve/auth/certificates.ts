// Clients that are known by their certificate: which subject or alternative name has which scopes, from a JSON file.
import { readFile } from "node:fs/promises";
import { RdgError } from "../../core/errors.ts";
import type { ClientCertificate, Principal, RateLimits } from "./port.ts";
import { grantsOf } from "./scopes.ts";

const clientsMax = 10_000;
/** Node writes values that hold separators as JSON strings. A name that could be read in two ways must not be read at all. */
const namePattern = /(?<kind>[A-Za-z][A-Za-z ]*):(?<value>"(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

interface ClientEntry {
  readonly subject?: unknown;
  readonly san?: unknown;
  readonly name?: unknown;
  readonly scopes?: unknown;
  readonly requestsPerSecond?: unknown;
  readonly scannedPerSecond?: unknown;
}

export class CertificateClients {
  readonly #bySubject = new Map<string, Principal>();
  readonly #byName = new Map<string, Principal>();

  /** @throws RdgError invalid, `bad_clients_file` */
  constructor(entries: readonly unknown[], place: string) {
    for (const [i, entry] of entries.entries()) this.#add(entry as ClientEntry, `${place}#/clients/${i}`);
  }

  /** @throws RdgError invalid, `bad_clients_file`; not_found */
  static async read(path: string): Promise<CertificateClients> {
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      throw badFile(path, (error as Error).message);
    });
    let content: { readonly clients?: unknown } | null;
    try {
      content = JSON.parse(text) as typeof content;
    } catch {
      throw badFile(path, "It is not JSON.");
    }
    const clients = content?.clients;
    if (!Array.isArray(clients) || clients.length > clientsMax) {
      throw badFile(path, `It has no list "clients" of at most ${clientsMax}.`);
    }
    return new CertificateClients(clients as unknown[], path);
  }

  /** An alternative name counts before the subject. */
  find({ subject, subjectAltName }: ClientCertificate): Principal | undefined {
    for (const name of alternativeNames(subjectAltName)) {
      const found = this.#byName.get(name);
      if (found !== undefined) return found;
    }
    return this.#bySubject.get(oneLine(subject));
  }

  #add(entry: ClientEntry, place: string): void {
    const { subject, san, name, scopes, requestsPerSecond, scannedPerSecond } = entry ?? {};
    const key = san ?? subject;
    if (typeof key !== "string" || key === "" || (san !== undefined && subject !== undefined)) {
      throw badFile(
        place,
        'A client has either a "san" such as "DNS:ingest.example.com" or a "subject" such as "O=Example,CN=ingest".',
      );
    }
    if (!Array.isArray(scopes) || !scopes.every((scope) => typeof scope === "string") || scopes.length === 0) {
      throw badFile(place, 'A client has "scopes", such as ["produce"].');
    }
    const limits: RateLimits = {
      requestsPerSecond: rate(requestsPerSecond, place),
      scannedPerSecond: rate(scannedPerSecond, place),
    };
    const principal: Principal = Object.freeze({
      kind: "certificate",
      id: `certificate:${key}`,
      name: typeof name === "string" ? name : key,
      grants: grantsOf(scopes, place),
      limits,
    });
    const known = san === undefined ? this.#bySubject : this.#byName;
    if (known.has(key)) throw badFile(place, `"${key}" is there twice.`);
    known.set(key, principal);
  }
}

/** As `kind:value`, with the value as the certificate has it. None of a text that is not exactly as expected. */
export function alternativeNames(subjectAltName: string | undefined): string[] {
  const names: string[] = [];
  if (subjectAltName === undefined) return names;
  namePattern.lastIndex = 0;
  while (namePattern.lastIndex < subjectAltName.length) {
    const { kind, value } = namePattern.exec(subjectAltName)?.groups ?? {};
    if (kind === undefined) return [];
    const written = value!.startsWith('"') ? unquoted(value!) : value;
    if (written === undefined) return [];
    names.push(`${kind}:${written}`);
  }
  return names;
}

function unquoted(json: string): string | undefined {
  try {
    return String(JSON.parse(json));
  } catch {
    return undefined;
  }
}

/** Node puts each part on a line of its own, with separators within values escaped. */
function oneLine(subject: string): string {
  return subject.split("\n").join(",");
}

function rate(value: unknown, place: string): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) > 0)) return value as number | undefined;
  throw badFile(place, "A rate is a whole number from 1 on.");
}

function badFile(place: string, message: string): RdgError {
  return new RdgError("invalid", "bad_clients_file", `The file of setting "tls.clients" is not usable: ${message}`, {
    place,
    hint: 'Write { "clients": [{ "san": "DNS:ingest.example.com", "scopes": ["produce"] }] }; see docs/security.md.',
  });
}
