// Suggestions for misspelt names: what an error says beside "there is no such name".

/** `Did you mean "x"?` for the nearest name, or the list of what is allowed; an empty string when there is nothing to say. */
export function didYouMean(name: string, allowed: Iterable<string>, listedMax = 20): string {
  const names = [...allowed];
  let nearest: string | undefined;
  let distanceMax = Math.max(1, Math.floor(Math.min(name.length, 64) / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.slice(0, 64).toLowerCase(), candidate.slice(0, 64).toLowerCase());
    if (distance < distanceMax) [nearest, distanceMax] = [candidate, distance];
  }
  if (nearest !== undefined) return `Did you mean "${nearest}"?`;
  if (names.length === 0) return "";
  const listed = names.slice(0, listedMax).join(", ");
  return `Allowed: ${listed}${names.length > listedMax ? `, and ${names.length - listedMax} more` : ""}.`;
}

/** Levenshtein, with a swap of neighbours counting once; two rows of the table at a time plus the one before. */
function editDistance(left: string, right: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const current = [i];
    for (let j = 1; j <= right.length; j++) {
      const changed = left[i - 1] === right[j - 1] ? 0 : 1;
      let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + changed);
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        best = Math.min(best, before[j - 2]! + 1);
      }
      current.push(best);
    }
    [before, previous] = [previous, current];
  }
  return previous[right.length]!;
}
