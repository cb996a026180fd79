// Certificates for tests: as much of X.509 and DER as an authority and the names of servers and clients need.
import { type KeyObject, generateKeyPairSync, sign } from "node:crypto";

const tlv = (tag: number, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content);
  const size = body.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...content: readonly Buffer[]): Buffer => tlv(0x30, ...content);
const text = (value: string): Buffer => tlv(0x0c, Buffer.from(value));
const integer = (value: number): Buffer => tlv(0x02, Buffer.from([value]));
const time = (value: string): Buffer => tlv(0x17, Buffer.from(value));
const octets = (content: Buffer): Buffer => tlv(0x04, content);
const bits = (content: Buffer): Buffer => tlv(0x03, Buffer.from([0]), content);

function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split(".").map(Number) as [number, number, ...number[]];
  const parts = rest.flatMap((part) => {
    const sevens = [part & 127];
    for (let left = part >> 7; left > 0; left >>= 7) sevens.unshift((left & 127) | 128);
    return sevens;
  });
  return tlv(0x06, Buffer.from([first * 40 + second, ...parts]));
}

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));
const name = (parts: readonly (readonly [string, string])[]): Buffer =>
  sequence(...parts.map(([type, value]) => tlv(0x31, sequence(oid(type), text(value)))));
const extension = (id: string, value: Buffer): Buffer => sequence(oid(id), octets(value));

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateWishes {
  readonly commonName: string;
  readonly organisation?: string;
  /** DNS names and URIs. */
  readonly dns?: readonly string[];
  readonly uris?: readonly string[];
  /** Missing: it signs itself, as an authority. */
  readonly issuer?: Authority;
  readonly expired?: boolean;
}

export interface Authority extends Issued {
  readonly serial: number;
  readonly subject: Buffer;
  readonly privateKey: KeyObject;
}

let serial = 1;

export function issue(wishes: CertificateWishes): Authority {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { organisation, commonName, dns = [], uris = [], issuer } = wishes;
  const subject = name([
    ...(organisation === undefined ? [] : [["2.5.4.10", organisation] as const]),
    ["2.5.4.3", commonName],
  ]);
  const names = [
    ...dns.map((value) => tlv(0x82, Buffer.from(value, "latin1"))),
    ...uris.map((value) => tlv(0x86, Buffer.from(value, "latin1"))),
    ...(dns.includes("localhost") ? [tlv(0x87, Buffer.from([127, 0, 0, 1]))] : []),
  ];
  const extensions = [
    extension("2.5.29.19", issuer === undefined ? sequence(tlv(0x01, Buffer.from([255]))) : sequence()),
    ...(names.length === 0 ? [] : [extension("2.5.29.17", sequence(...names))]),
  ];
  const signed = sequence(
    tlv(0xa0, integer(2)),
    integer(serial),
    ecdsaWithSha256,
    issuer?.subject ?? subject,
    sequence(time("200101000000Z"), time(wishes.expired === true ? "210101000000Z" : "490101000000Z")),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", signed, issuer?.privateKey ?? privateKey);
  const der = sequence(signed, ecdsaWithSha256, bits(signature));
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { cert: pem("CERTIFICATE", der), key, subject, privateKey, serial: serial++ };
}

/** The list of certificates that an authority has taken back. */
export function revocationList(authority: Authority, revoked: readonly Authority[]): string {
  const entries = revoked.map((each) => sequence(integer(each.serial), time("250101000000Z")));
  const signed = sequence(
    ecdsaWithSha256,
    authority.subject,
    time("250101000000Z"),
    time("490101000000Z"),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
  );
  return pem("X509 CRL", sequence(signed, ecdsaWithSha256, bits(sign("sha256", signed, authority.privateKey))));
}

function pem(label: string, der: Buffer): string {
  // No empty line, also where the last one is full: OpenSSL takes none.
  const lines = der.toString("base64").replaceAll(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
