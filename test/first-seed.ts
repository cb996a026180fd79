// Where random tests begin. Whoever changes the code draws new seeds each time: that is how faults are found. CI says whether a change is good, and must
// say the same of the same change twice, so its seeds stay (ADR 143).
const whereCiBegins = 20_261_122;

/** @param variable of the environment; set, it names the seed to begin with */
export function firstSeed(variable: string): number {
  const { CI, [variable]: named } = process.env;
  return Number(named ?? (CI === undefined ? Math.floor(Math.random() * 2 ** 31) : whereCiBegins));
}
