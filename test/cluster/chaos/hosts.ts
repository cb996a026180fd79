// Test hosts on one machine: network namespaces with a switch between them, whose links are cut and healed.
//
// To be used in a network namespace of the test's own (sandbox.ts), which is the host of the test itself: nothing outside is reached, changed, or left over.
// Addresses are loopback's, routed between these namespaces: what listens there is reached by nobody else, and programs may take it for this machine.
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { at, type Place } from "../place.ts";

/** A host is in a namespace of this name, or is this process's own. */
export interface Host {
  readonly name: string;
  readonly address: string;
}

const switchName = "switch";
/** Nobody has it: what is sent there is lost. */
const nobody = "02:00:00:00:00:01";
const hostsMax = 250;

export class Hosts {
  /** Where the test itself runs. */
  readonly own: Host = { name: "client", address: addressOf(1) };
  readonly #folder: string;
  #count = 1;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param folder for the hosts' clocks */
  static async open(folder: string): Promise<Hosts> {
    const hosts = new Hosts(folder);
    await onlyOneLoopback([]);
    await ip("link", "add", switchName, "type", "bridge");
    await ip("addr", "add", `${hosts.own.address}/24`, "dev", switchName);
    await ip("link", "set", switchName, "up");
    return hosts;
  }

  async add(name: string): Promise<Host> {
    const number = ++this.#count;
    if (number > hostsMax) throw new Error(`There are no more than ${hostsMax} test hosts.`);
    const host = { name, address: addressOf(number) };
    await ip("netns", "add", name);
    await ip("link", "add", portOf(host), "type", "veth", "peer", "name", "eth0", "netns", name);
    await ip("link", "set", portOf(host), "master", switchName, "up");
    await onlyOneLoopback(inside(host));
    await ip(...within(host), "addr", "add", `${host.address}/24`, "dev", "eth0");
    await ip(...within(host), "link", "set", "eth0", "up");
    return host;
  }

  /** Where its processes run. With a library of faketime they go by the host's own clock. */
  async placeOn(host: Host, faketime?: string): Promise<Place> {
    const place = { address: host.address, before: inside(host) };
    if (faketime === undefined) return place;
    await this.setClock(host, 0);
    const environment = {
      LD_PRELOAD: faketime,
      FAKETIME_TIMESTAMP_FILE: this.#clockOf(host),
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
    return { ...place, environment };
  }

  /** It is wrong by so much, from within a second on. */
  async setClock(host: Host, byMs: number): Promise<void> {
    const seconds = byMs / 1000;
    await writeFile(this.#clockOf(host), `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}s\n`);
  }

  /** Nothing comes from it or to it. Connections are not told. */
  async unplug(host: Host): Promise<void> {
    await ip("link", "set", portOf(host), "down");
  }

  async plug(host: Host): Promise<void> {
    await ip("link", "set", portOf(host), "up");
  }

  /** What the first sends to the second is lost; the other way, and to all others, nothing is. */
  async loseFrom(from: Host, to: Host): Promise<void> {
    const neighbour = [to.address, "lladdr", nobody, "dev", this.#deviceOf(from), "nud", "permanent"];
    await ip(...this.#at(from), "neigh", "replace", ...neighbour);
  }

  async carryFrom(from: Host, to: Host): Promise<void> {
    await ip(...this.#at(from), "neigh", "del", to.address, "dev", this.#deviceOf(from));
  }

  #at(host: Host): readonly string[] {
    return host === this.own ? [] : within(host);
  }

  #deviceOf(host: Host): string {
    return host === this.own ? switchName : "eth0";
  }

  #clockOf(host: Host): string {
    return join(this.#folder, `${host.name}.clock`);
  }
}

/** Else all of 127.0.0.0/8 would be every host's own. */
async function onlyOneLoopback(before: readonly string[]): Promise<void> {
  const loopback = [
    "ip link set lo up",
    "ip addr del 127.0.0.1/8 dev lo",
    "ip addr add 127.0.0.1/32 dev lo",
    "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet",
  ];
  const { command, args } = at({ address: "", before }, "sh", ["-ec", loopback.join("\n")]);
  await promisify(execFile)(command, args);
}

const addressOf = (number: number): string => `127.77.0.${number}`;
const portOf = ({ address }: Host): string => `port${address.split(".").at(-1)}`;
const within = ({ name }: Host): readonly string[] => ["-n", name];
const inside = ({ name }: Host): readonly string[] => ["ip", "netns", "exec", name];

async function ip(...args: readonly string[]): Promise<void> {
  await promisify(execFile)("ip", args);
}
