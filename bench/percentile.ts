// Percentiles of sorted samples, rounded to microseconds when the samples are milliseconds.

export function percentile(sorted: Float64Array, share: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return Number(value.toFixed(3));
}
