// Tokens of an issuer: which are taken, every way in which one can be wrong, and what happens while its keys change or cannot be had.
import { createPublicKey } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RdgError, describeError } from "../../src/core/errors.ts";
import { Jwks } from "../../src/serve/auth/jwks.ts";
import { TokenVerifier } from "../../src/serve/auth/jwt.ts";
import { problemOf } from "../../src/serve/problems.ts";
import { ManualTime } from "../log/manual-time.ts";
import { type SigningKey, hmacToken, jwksOf, newKey, tokenOf, unsignedToken } from "./issuer.ts";

const startMs = Date.UTC(2026, 10, 21);
const startSeconds = startMs / 1_000;
const location = "https://issuer.example/jwks";
const good = {
  iss: "https://issuer.example/",
  aud: "rdg",
  sub: "dashboard",
  exp: startSeconds + 300,
  scope: "openid read:watched",
};

let ec: SigningKey;
let stranger: SigningKey;
beforeAll(() => {
  ec = newKey("ec");
  stranger = newKey("ec");
});

let time: ManualTime;
/** What the issuer answers: its JWKS, or how it fails. */
let answer: () => Promise<Response>;
let fetched: number;
let notices: (RdgError | undefined)[];
let jwks: Jwks;
let verifier: TokenVerifier;

async function open(from: string = location): Promise<void> {
  jwks = new Jwks({
    location: from,
    clock: time,
    timers: time,
    fetch: (_url, init) => {
      fetched++;
      expect(init.redirect).toBe("error");
      return answer();
    },
    notice: (error) => notices.push(error),
  });
  await jwks.open();
  verifier = new TokenVerifier({ jwks, issuer: good.iss, audience: "rdg", clock: time, skewMs: 30_000 });
}

beforeEach(async () => {
  time = new ManualTime(startMs);
  fetched = 0;
  notices = [];
  answer = async () => new Response(jwksOf(ec));
  await open();
});
afterEach(() => jwks.close());

async function refusal(token: string): Promise<RdgError> {
  try {
    await verifier.authenticate(token);
  } catch (error) {
    return error as RdgError;
  }
  throw new Error("it was let in");
}

/** Time passes, and what is due then is done. */
async function pass(ms: number): Promise<void> {
  time.advance(ms);
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

describe("a token", () => {
  test.each(["ES256", "RS256", "EdDSA"] as const)(
    "signed with %s is taken, with the scopes that are ours",
    async (alg) => {
      const key = newKey("k", alg);
      answer = async () => new Response(jwksOf(ec, key));
      await open();
      const principal = await verifier.authenticate(tokenOf(key, good));
      expect(principal).toMatchObject({ kind: "jwt", id: "jwt:dashboard", name: "dashboard" });
      expect(principal.grants).toEqual({
        admin: false,
        observe: false,
        read: new Set(["watched"]),
        produce: new Set(),
      });
    },
  );

  test.each([
    [
      "scp as a list",
      { scp: ["read", "produce:playback"], scope: undefined },
      { read: "all", produce: new Set(["playback"]) },
    ],
    ["scp as a text", { scp: "produce", scope: undefined }, { read: new Set(), produce: "all" }],
    ["both", { scp: ["produce"] }, { read: new Set(["watched"]), produce: "all" }],
    ["neither", { scope: undefined }, { read: new Set(), produce: new Set() }],
    ["scopes that are no texts", { scope: 7, scp: [null, {}, ["read"], "read:a"] }, { read: new Set(["a"]) }],
    ["several audiences", { aud: ["other", "rdg"] }, { read: new Set(["watched"]) }],
  ])("may have %s", async (_, claims, grants) => {
    expect((await verifier.authenticate(tokenOf(ec, { ...good, ...claims }))).grants).toMatchObject(grants);
  });

  test("is verified once; afterwards it is looked up, until it expires", async () => {
    const token = tokenOf(ec, good);
    const principal = await verifier.authenticate(token);
    expect(verifier.authenticate(token)).toBe(principal);
    time.jumpTo(startMs + 300_000 + 29_999);
    expect(verifier.authenticate(token)).toBe(principal);
    time.jumpTo(startMs + 300_000 + 30_000);
    expect((await refusal(token)).message).toContain("expired");
    expect(verifier.remembered).toBe(0);
  });

  test("is remembered among so many others at most", async () => {
    const bounded = verifier as { rememberedMax: number };
    expect(bounded.rememberedMax).toBe(10_000);
    for (let i = 0; i < 50; i++) await verifier.authenticate(tokenOf(ec, { ...good, jti: String(i) }));
    expect(verifier.remembered).toBe(50);
    expect(verifier.verifying).toBe(0);
  });
});

describe("refused is a token", () => {
  const claims: [string, Record<string, unknown>, string][] = [
    ["for another audience", { aud: "other" }, "audience"],
    ["for no audience", { aud: undefined }, "audience"],
    ["for an empty list of audiences", { aud: [] }, "audience"],
    ["of another issuer", { iss: "https://issuer.example" }, "issuer"],
    ["of no issuer", { iss: undefined }, "issuer"],
    ["that expired longer ago than clocks differ", { exp: startSeconds - 31 }, "expired"],
    ["that never expires", { exp: undefined }, "expires"],
    ["that expires at no number", { exp: "never" }, "expires"],
    ["that is not valid yet", { nbf: startSeconds + 31 }, "not valid yet"],
    ["without a subject", { sub: undefined }, "subject"],
    ["with an empty subject", { sub: "" }, "subject"],
    ["with a subject that is no text", { sub: 7 }, ""],
    ["with an endless subject", { sub: "x".repeat(256) }, "subject"],
  ];
  test.each(claims)("%s", async (_, claims, reason) => {
    const error = await refusal(tokenOf(ec, { ...good, ...claims }));
    expect(error).toMatchObject({ kind: "unauthorized", code: "bad_credentials" });
    expect(error.message).toContain(reason);
    expect(verifier.remembered).toBe(0);
  });

  test("within what clocks may differ it is taken", async () => {
    expect(await verifier.authenticate(tokenOf(ec, { ...good, exp: startSeconds - 29 }))).toBeDefined();
    expect(await verifier.authenticate(tokenOf(ec, { ...good, nbf: startSeconds + 29 }))).toBeDefined();
  });

  const publicPem = (): string => createPublicKey(ec.privateKey).export({ type: "spki", format: "pem" }).toString();
  const forged: [string, () => string][] = [
    ["without a signature", () => unsignedToken(good, "none")],
    ["without a signature, in capitals", () => unsignedToken(good, "NONE")],
    ["with the signature cut off", () => `${tokenOf(ec, good).split(".").slice(0, 2).join(".")}.`],
    ["signed with the public key as a shared secret", () => hmacToken(publicPem(), good, "ec")],
    ["signed with the JWKS as a shared secret", () => hmacToken(jwksOf(ec), good, "ec")],
    ["signed with an empty secret", () => hmacToken("", good, "ec")],
    ["signed by a stranger under a known key id", () => tokenOf(stranger, good)],
    [
      "that brings its own key",
      () => tokenOf(stranger, good, { jwk: JSON.parse(jwksOf(stranger)).keys[0], kid: undefined }),
    ],
    ["that says where its key is", () => tokenOf(stranger, good, { jku: "https://evil.example/jwks" })],
    ["with critical extensions", () => tokenOf(ec, good, { crit: ["exp"], exp: 1 })],
    ["of an algorithm that the key does not have", () => tokenOf(ec, good, { alg: "RS256" })],
    [
      "with claims exchanged",
      () => {
        const [head, , signature] = tokenOf(ec, good).split(".");
        return `${head}.${Buffer.from(JSON.stringify({ ...good, scope: "admin" })).toString("base64url")}.${signature}`;
      },
    ],
    ["with an unencoded payload", () => tokenOf(ec, good, { b64: false, crit: ["b64"] })],
    ["whose claims are a list", () => tokenOf(ec, [good])],
    ["whose claims are no JSON", () => tokenOf(ec, "{")],
    ["of one part", () => "abc"],
    ["of five parts", () => "a.b.c.d.e"],
    ["of empty parts", () => ".."],
    ["of 8 KB of letters", () => `${"a".repeat(4_000)}.${"b".repeat(4_000)}.c`],
  ];
  test.each(forged)("%s", async (_, make) => {
    const token = make();
    const error = await refusal(token);
    expect(error).toMatchObject({ kind: "unauthorized", code: "bad_credentials" });
    expect(describeError(error) + JSON.stringify(problemOf(error))).not.toContain(token.slice(-20));
  });

  test("that was damaged anywhere", async () => {
    const token = tokenOf(ec, good);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom("A", "a", "z", "0", "9", "-", "_", "."),
        async (at, letter) => {
          const damaged = token.slice(0, at) + letter + token.slice(at + 1);
          // The last letter of a base64 text has bits that mean nothing.
          const parts = (text: string): string[] =>
            text.split(".").map((part) => Buffer.from(part, "base64url").toString("hex"));
          fc.pre(damaged !== token && parts(damaged).join() !== parts(token).join());
          expect((await refusal(damaged)).code).toBe("bad_credentials");
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("the issuer's keys", () => {
  test("are fetched anew for a token with an unknown key, but seldom", async () => {
    const next = newKey("next");
    await pass(10_000);
    answer = async () => new Response(jwksOf(ec, next));
    expect(await verifier.authenticate(tokenOf(next, good))).toMatchObject({ kind: "jwt" });
    expect(fetched).toBe(2);
    for (let i = 0; i < 20; i++) await refusal(tokenOf(newKey(`unknown ${i}`), good));
    expect(fetched).toBe(2);
  });

  test("that are withdrawn count no more, also for tokens that are remembered", async () => {
    const token = tokenOf(ec, { ...good, exp: startSeconds + 3_600 });
    await verifier.authenticate(token);
    answer = async () => new Response(jwksOf(stranger));
    await pass(5 * 60_000);
    expect((await refusal(token)).code).toBe("bad_credentials");
  });

  test.each<[string, () => Promise<Response>]>([
    [
      "does not answer",
      () => Promise.reject(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") })),
    ],
    ["answers with an error", async () => new Response("{}", { status: 500 })],
    ["answers with a page", async () => new Response("<html>")],
    ["answers without keys", async () => new Response("{}")],
    ["answers endlessly", async () => new Response("x".repeat(1_100_000))],
    ["answers with null", async () => new Response("null")],
  ])("go on when it %s, for a day; a server that never had them answers 503 and says why", async (_, failing) => {
    const token = tokenOf(ec, { ...good, exp: startSeconds + 7 * 86_400 });
    answer = failing;
    for (let i = 0; i < 6; i++) await pass(5 * 60_000);
    expect(fetched).toBeGreaterThan(2);
    expect(await verifier.authenticate(token)).toMatchObject({ kind: "jwt" });
    expect(notices).toHaveLength(1);
    await pass(24 * 3_600_000);
    expect(await refusal(tokenOf(ec, { ...good, exp: startSeconds + 8 * 86_400 }))).toMatchObject({
      code: "jwks_unreachable",
    });
    await open();
    const error = await refusal(token);
    expect(problemOf(error)).toMatchObject({ status: 503, code: "jwks_unreachable" });
    expect(error.hint).toContain("The JWKS is not usable: ");
    answer = async () => new Response(jwksOf(ec));
    await pass(10_000);
    expect(await verifier.authenticate(token)).toMatchObject({ kind: "jwt" });
    expect(notices.at(-1)).toBeUndefined();
  });

  test("are no secrets: a shared key in the JWKS is not used", async () => {
    const secret = Buffer.alloc(32, 7);
    const oct = { kty: "oct", kid: "shared", alg: "HS256", k: secret.toString("base64url") };
    answer = async () => new Response(JSON.stringify({ keys: [oct] }));
    await open();
    expect((await refusal(hmacToken(secret, good, "shared"))).code).toBe("bad_credentials");
  });

  test("come from a file, too, which may change; one that is not usable at the start is refused", async () => {
    const folder = await mkdtemp(join(tmpdir(), "rdg-jwks-"));
    try {
      const path = join(folder, "jwks.json");
      await expect(open(path)).rejects.toMatchObject({ code: "jwks_unreachable", place: path });
      await writeFile(path, jwksOf(newKey("old")));
      await open(path);
      expect((await refusal(tokenOf(ec, good))).code).toBe("bad_credentials");
      await writeFile(path, jwksOf(ec));
      time.advance(1_000);
      expect(await verifier.authenticate(tokenOf(ec, good))).toMatchObject({ kind: "jwt" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each(["http://issuer.example/jwks", "ftp://issuer.example/jwks", "data:,x", "file:///etc/passwd"])(
    "are not fetched from %s",
    async (from) => {
      await expect(open(from)).rejects.toMatchObject({ code: "bad_jwks_location" });
    },
  );
});
