// Randomness as a port: the system's for production, a seeded generator wherever a run must be repeatable.

export interface Random {
  /** A uniform integer in [0, bound), bound at most 2^32. */
  below(bound: number): number;
}

export const systemRandom: Random = {
  below: (bound) => Math.floor(Math.random() * bound),
};

/** The same numbers for the same seed, on every machine (mulberry32, public domain; not for secrets). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(bound) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * bound);
    },
  };
}

/** A random identifier of 26 characters (130 bits at best), lower case. */
export function randomId(random: Random = systemRandom): string {
  let id = "";
  for (let i = 0; i < 26; i++) id += "0123456789abcdefghjkmnpqrstvwxyz"[random.below(32)];
  return id;
}

/** Random bytes that nobody can guess, for keys. */
export function secretBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
