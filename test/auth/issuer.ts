// An issuer of tokens for tests: its keys, its JWKS as text, and tokens of any form, signed with node's own crypto and not with the library under test.
import { type KeyObject, createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";

export interface SigningKey {
  readonly kid: string;
  readonly alg: "ES256" | "RS256" | "EdDSA";
  readonly privateKey: KeyObject;
}

export function newKey(kid: string, alg: SigningKey["alg"] = "ES256"): SigningKey {
  const { privateKey } =
    alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : alg === "EdDSA"
        ? generateKeyPairSync("ed25519")
        : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { kid, alg, privateKey };
}

export function jwksOf(...keys: readonly SigningKey[]): string {
  return JSON.stringify({
    keys: keys.map(({ kid, alg, privateKey }) => ({
      ...createPublicKey(privateKey).export({ format: "jwk" }),
      kid,
      alg,
      use: "sig",
    })),
  });
}

const encoded = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** @param header members beside or instead of `alg` and `kid` */
export function tokenOf(key: SigningKey, claims: unknown, header: Readonly<Record<string, unknown>> = {}): string {
  const signed = `${encoded({ alg: key.alg, kid: key.kid, typ: "JWT", ...header })}.${encoded(claims)}`;
  const digest = key.alg === "EdDSA" ? null : "sha256";
  const signature = sign(digest, Buffer.from(signed), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

/** Signed with a shared secret, as nobody may. */
export function hmacToken(secret: string | Buffer, claims: unknown, kid: string): string {
  const signed = `${encoded({ alg: "HS256", kid, typ: "JWT" })}.${encoded(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export function unsignedToken(claims: unknown, alg: string): string {
  return `${encoded({ alg, typ: "JWT" })}.${encoded(claims)}.`;
}
