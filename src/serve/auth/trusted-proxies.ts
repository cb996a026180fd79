// Whose word counts for where a request comes from: proxies in front of the server, which name the address that they were asked from.
import { BlockList, isIP } from "node:net";
import { RdgError } from "../../core/errors.ts";

/** A request that has come through more of them is told as of the last one looked at. */
const hopsMax = 32;

export class TrustedProxies {
  readonly #list = new BlockList();

  /** @param named addresses and networks (`10.0.0.0/8`, `fd00::/8`) @throws RdgError invalid, `bad_setting` */
  constructor(named: readonly string[]) {
    for (const each of named) this.#add(each);
  }

  /**
   * Where a request comes from: whoever asked the first proxy that is trusted. What stands further left in `X-Forwarded-For` anybody may have written.
   * @param peer of the connection @param forwarded values of the header, in order
   */
  clientOf(peer: string | undefined, forwarded: readonly string[]): string | undefined {
    if (peer === undefined) return undefined;
    let client = plain(peer);
    const hops = forwarded.length === 0 ? [] : forwarded.join(",").split(",").slice(-hopsMax);
    for (let i = hops.length - 1; i >= 0 && this.#trusts(client); i--) {
      const hop = plain(hops[i]!.trim());
      // A proxy that is trusted writes addresses: this one was written by somebody else.
      if (isIP(hop) === 0) break;
      client = hop;
    }
    return client;
  }

  #trusts(address: string): boolean {
    return this.#list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }

  #add(named: string): void {
    const [address = "", prefix, ...rest] = named.split("/");
    const version = isIP(address);
    const bits = prefix === undefined ? undefined : Number(prefix);
    const isPrefix = bits === undefined || (/^\d{1,3}$/.test(prefix!) && bits <= (version === 6 ? 128 : 32));
    if (version === 0 || !isPrefix || rest.length > 0) {
      const message = `Setting "serve.trustProxy" holds ${JSON.stringify(named)}, which is neither an address nor a network.`;
      throw new RdgError("invalid", "bad_setting", message, {
        place: "serve.trustProxy",
        hint: "Write addresses and networks, separated by commas: 127.0.0.1, 10.0.0.0/8, fd00::/8.",
      });
    }
    const family = version === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) this.#list.addAddress(address, family);
    else this.#list.addSubnet(address, bits, family);
  }
}

/** Without a port, and IPv4 as itself: `[::1]:80`, `10.0.0.1:80`, `::ffff:10.0.0.1`. */
function plain(address: string): string {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address;
  const mapped = /^::ffff:([\d.]+)$/i.exec(bare)?.[1];
  return mapped !== undefined && isIP(mapped) === 4 ? mapped : bare;
}
