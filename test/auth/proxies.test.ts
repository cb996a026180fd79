// Behind proxies: the address in the audit log is that of who asked the first proxy that is trusted, and nobody else can write it.
import { afterEach, describe, expect, test } from "vitest";
import { TrustedProxies } from "../../src/serve/auth/trusted-proxies.ts";
import { type ServingWishes, openServing } from "./serving.ts";

describe("the client of a request", () => {
  const proxies = new TrustedProxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8", "2001:db8::1"]);

  test.each<[string, string | undefined, string[], string | undefined]>([
    ["is the peer without a header", "10.0.0.1", [], "10.0.0.1"],
    ["is the peer where that is no proxy", "203.0.113.9", ["198.51.100.1"], "203.0.113.9"],
    ["is who the proxy names", "127.0.0.1", ["198.51.100.1"], "198.51.100.1"],
    ["is not what the client itself wrote", "127.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"],
    ["is found behind several proxies", "127.0.0.1", ["198.51.100.1, 10.1.2.3", "10.9.9.9"], "198.51.100.1"],
    ["is the furthest proxy where all are", "127.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"],
    ["is found in IPv6", "2001:db8::1", ["2001:db8::7, fd12::1"], "2001:db8::7"],
    ["is found behind IPv4 in IPv6", "::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"],
    ["is told without its port", "127.0.0.1", ["[2001:db8::7]:80, 10.0.0.4:1234"], "2001:db8::7"],
    ["is not what is no address", "127.0.0.1", ["198.51.100.1, unknown, 10.0.0.4"], "10.0.0.4"],
    ["is not nothing", "127.0.0.1", [", "], "127.0.0.1"],
    ["is unknown where the peer is", undefined, ["198.51.100.1"], undefined],
  ])("%s", (_, peer, forwarded, client) => {
    expect(proxies.clientOf(peer, forwarded)).toBe(client);
  });

  test("is looked for through 32 proxies at most", () => {
    const hops = ["198.51.100.1", ...Array.from({ length: 40 }, (_, i) => `10.0.0.${i + 1}`)];
    expect(proxies.clientOf("127.0.0.1", [hops.join(",")])).toBe("10.0.0.9");
  });
});

test.each(["10.0.0.0/33", "::/129", "10.0.0.0/8/1", "10.0.0.0/", "10.0.0.0/-1", "proxy.example.com", "", "10.0.0"])(
  "%j is neither an address nor a network",
  (named) => {
    expect(() => new TrustedProxies([named])).toThrow(
      expect.objectContaining({ kind: "invalid", code: "bad_setting", place: "serve.trustProxy" }) as Error,
    );
  },
);

describe("the audit log of a server behind a proxy", () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function addresses(wishes: ServingWishes): Promise<(string | undefined)[]> {
    const serving = await openServing(wishes);
    closers.push(() => serving.close());
    const headers = { "x-forwarded-for": "6.6.6.6, 198.51.100.1" };
    for (const scope of ["admin", "read"]) {
      const url = "/v1/store/verify";
      const as = await serving.as(scope);
      await serving.server.app.inject({ method: "POST", url, headers: { ...as, ...headers } });
    }
    const records = await serving.audit();
    return records.flatMap(({ event, address }) => (event === "admin.ended" ? [] : [address]));
  }

  test("names who asked the proxy, whether let in or not", async () => {
    const proxies = new TrustedProxies(["127.0.0.0/8"]);
    expect(await addresses({ proxies })).toEqual(["198.51.100.1", "198.51.100.1"]);
  });

  test("names the peer where no proxy is trusted", async () => {
    expect(await addresses({})).toEqual(["127.0.0.1", "127.0.0.1"]);
    expect(await addresses({ proxies: new TrustedProxies(["10.0.0.0/8"]) })).toEqual(["127.0.0.1", "127.0.0.1"]);
  });
});
