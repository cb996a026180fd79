// Hot path: histograms for Prometheus that are told several values per request. prom-client's own look their labels up and print every number as a key for
// each value, which is a twentieth of what a small traversal costs; here a series is found once and then counts in an array.
import type { Metric, Registry } from "prom-client";

export interface HistogramOptions<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly L[];
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
  readonly registers: readonly Registry[];
}

interface PrintedValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** The values of one combination of labels. */
export class HistogramSeries {
  readonly #bounds: readonly number[];
  /** One more than bounds: what is above all of them. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let i = 0;
    while (i < bounds.length && value > bounds[i]!) i++;
    this.#counts[i]!++;
    this.#sum += value;
  }

  print(name: string, labels: Readonly<Record<string, string>>): PrintedValue[] {
    let count = 0;
    const buckets = [...this.#bounds, "+Inf"].map((le, i) => {
      count += this.#counts[i]!;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    });
    const sum = { metricName: `${name}_sum`, labels, value: this.#sum };
    return [...buckets, sum, { metricName: `${name}_count`, labels, value: count }];
  }
}

export class Histogram<L extends string = never> {
  readonly #options: HistogramOptions<L>;
  readonly #series = new Map<
    string,
    { readonly labels: Readonly<Record<L, string>>; readonly series: HistogramSeries }
  >();

  constructor(options: HistogramOptions<L>) {
    this.#options = options;
    const { name, help, labelNames = [], registers } = options;
    if (labelNames.length === 0) this.of({} as Record<L, string>);
    const get = async () => ({
      name,
      help,
      type: "histogram",
      aggregator: "sum",
      values: [...this.#series.values()].flatMap(({ labels, series }) => series.print(name, labels)),
    });
    const metric = { name, help, get, reset: () => this.#series.clear() };
    for (const registry of registers) registry.registerMetric(metric as unknown as Metric);
  }

  /** The series of these labels, for whoever has many values to keep. */
  of(labels: Readonly<Record<L, string>>): HistogramSeries {
    const { buckets, labelNames = [] } = this.#options;
    const key = labelNames.map((label) => labels[label]).join("\0");
    let held = this.#series.get(key);
    if (held === undefined) this.#series.set(key, (held = { labels, series: new HistogramSeries(buckets) }));
    return held.series;
  }
}
