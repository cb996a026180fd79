// Where a tested process runs: on this machine's loopback, or on a test host of its own.
import { loopback } from "../../scripts/cluster/ports.ts";

export interface Place {
  /** That it listens on, and is reached at. */
  readonly address: string;
  /** Stands before its command line, such as `ip netns exec HOST`. Ends in what it runs: with the same process id. */
  readonly before: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export const here: Place = { address: loopback, before: [] };

/** A command line as it is at that place. */
export function at(
  place: Place,
  command: string,
  args: readonly string[],
): { command: string; args: readonly string[] } {
  const [first, ...rest] = [...place.before, command, ...args] as [string, ...string[]];
  return { command: first, args: rest };
}
