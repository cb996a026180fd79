// Runs stories by their seeds, and makes the story of one that fails as short as it still fails.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { type Outcome, simulate } from "./simulation.ts";
import { type Story, storyOf } from "./story.ts";

/** For checkpoints of stores. In memory where the system has such a place: it is not this disk that is tested, and syncing it takes most of the time. */
const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export interface Failure {
  readonly seed: number;
  readonly error: unknown;
  /** Which steps of the seed's story are enough. */
  readonly kept: readonly number[];
  readonly story: Story;
  /** Plays exactly that again. */
  readonly command: string;
}

export class Seeds {
  readonly #folder: string;
  readonly #registry: SchemaRegistry;

  private constructor(folder: string, registry: SchemaRegistry) {
    this.#folder = folder;
    this.#registry = registry;
  }

  static async open(): Promise<Seeds> {
    const folder = await mkdtemp(join(place, "rdg-sim-"));
    const registry = await openEmbeddedRegistry({ folder: join(folder, "schemas") });
    // Definitions of different stories are no versions of one another.
    await registry.setCompatibility("NONE");
    return new Seeds(folder, registry);
  }

  async close(): Promise<void> {
    await this.#registry.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Plays the story of a seed, or only some steps of it. */
  play(seed: number, kept?: readonly number[]): Promise<Outcome> {
    return simulate(storyOf(seed, kept), this.#registry, join(this.#folder, String(seed)));
  }

  /** Plays it; a failure comes back with the shortest story that was found to fail. */
  async check(seed: number, kept?: readonly number[]): Promise<Outcome | Failure> {
    try {
      return await this.play(seed, kept);
    } catch (error) {
      return await this.#shortened(seed, error, kept ?? storyOf(seed).steps.map((_, i) => i));
    }
  }

  /** Leaves out halves, quarters, and so on down to single steps, as long as it still fails. */
  async #shortened(seed: number, first: unknown, all: readonly number[]): Promise<Failure> {
    let error = first;
    let kept = all;
    for (let size = Math.ceil(all.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let i = 0; i < kept.length;) {
        const fewer = [...kept.slice(0, i), ...kept.slice(i + size)];
        const failed = await this.play(seed, fewer).then(
          () => undefined,
          (cause: unknown) => ({ cause }),
        );
        if (failed === undefined) i += size;
        else [kept, error] = [fewer, failed.cause];
      }
    }
    const command = `npm run test:sim -- --seed ${seed} --keep ${kept.join(",")}`;
    return { seed, error, kept, story: storyOf(seed, kept), command };
  }
}

export function isFailure(result: Outcome | Failure): result is Failure {
  return "command" in result;
}

/** A failure for people: the command, the story and what was wrong. */
export function describeFailure({ seed, error, kept, story, command }: Failure): string {
  const { steps, ...world } = story;
  return [
    `Seed ${seed} fails. Again: ${command}`,
    JSON.stringify(world),
    ...steps.map((step, i) => `${kept[i]}: ${JSON.stringify(step)}`),
    error instanceof Error ? (error.stack ?? error.message) : String(error),
  ].join("\n");
}
