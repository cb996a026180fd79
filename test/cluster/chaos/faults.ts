// What may happen in a cluster of test hosts: to processes, servers, links and clocks.
import type { Random } from "../../../src/core/random.ts";
import type { RoleProcess } from "../role-process.ts";
import type { OwnServer } from "../servers.ts";
import type { Fault } from "./chaos.ts";
import type { Host, Hosts } from "./hosts.ts";

/** A host and what runs on it. */
export interface Node {
  /** What it is for, such as `gateway`: faults are counted by it. */
  readonly kind: string;
  readonly host: Host;
  /** URLs of serving processes that answer nobody without it: its own, or those that ask it. */
  readonly serves: readonly string[];
}

/** After it was ended, everything that it needs may be away for a while: somebody starts it again, as supervisors do. */
const startsWithinMs = 180_000;

/** In order. It has connections to close and jobs to hand over, while others may not answer. */
const endsWithinMs = 120_000;

/** `end`: in order, so that jobs are handed over. */
export function processFaults({ kind, host, serves }: Node, process: RoleProcess): Fault[] {
  const what = { victims: [host.name], excused: serves };
  const start = (): Promise<void> => started(process);
  return [
    { kind: `kill ${kind}`, ...what, strike: async () => void (await process.stop("SIGKILL")), heal: start },
    { kind: `end ${kind}`, ...what, strike: () => ended(process), heal: start },
    { kind: `pause ${kind}`, ...what, strike: async () => process.pause(), heal: async () => process.resume() },
  ];
}

async function ended(process: RoleProcess): Promise<void> {
  const late = new Promise<"late">((resolve) => setTimeout(() => resolve("late"), endsWithinMs));
  if ((await Promise.race([process.stop("SIGTERM"), late])) === "late")
    throw new Error(`${process.url} was told to stop and did not end; it said:\n${process.messages}`);
}

async function started(process: RoleProcess): Promise<void> {
  for (const untilMs = performance.now() + startsWithinMs; ;) {
    try {
      return await process.start();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
  }
}

export function serverFaults({ kind, host, serves }: Node, server: OwnServer): Fault[] {
  const what = { victims: [host.name], excused: serves };
  return [
    { kind: `kill ${kind}`, ...what, strike: () => server.kill(), heal: () => server.restart() },
    { kind: `pause ${kind}`, ...what, strike: () => server.pause(), heal: () => server.resume() },
  ];
}

/** Its only cable is out. */
export function unplugFault({ kind, host, serves }: Node, hosts: Hosts): Fault {
  const strike = (): Promise<void> => hosts.unplug(host);
  return { kind: `unplug ${kind}`, victims: [host.name], excused: serves, strike, heal: () => hosts.plug(host) };
}

/** One of the two does not hear the other. @param excused URLs of those that answer nobody then */
export function oneWayFaults(
  a: Pick<Node, "kind" | "host">,
  b: Pick<Node, "kind" | "host">,
  excused: readonly string[],
  hosts: Hosts,
): Fault[] {
  return [[a.host, b.host] as const, [b.host, a.host] as const].map(([from, to]) => ({
    kind: `one way ${a.kind}`,
    victims: [a.host.name],
    excused,
    strike: () => hosts.loseFrom(from, to),
    heal: () => hosts.carryFrom(from, to),
  }));
}

const wrongByMsMost = 120_000;

/** It jumps, and jumps back. */
export function clockFault({ kind, host }: Node, hosts: Hosts, random: Random): Fault {
  return {
    kind: `clock ${kind}`,
    victims: [host.name],
    excused: [],
    strike: () => hosts.setClock(host, random.below(2 * wrongByMsMost) - wrongByMsMost),
    heal: () => hosts.setClock(host, 0),
  };
}
