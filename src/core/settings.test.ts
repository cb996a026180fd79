import { describe, expect, test } from "vitest";
import { flagOf, resolveSettings, variableOf } from "./settings.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

const list = {
  port: { kind: "integer", default: 7400, description: "Port of the HTTP server.", max: 65_535 },
  "store.memory": { kind: "size", default: 1e9, description: "Memory of the store." },
  "jobs.windowMax": { kind: "duration", default: 1000, description: "Longest window." },
  color: { kind: "boolean", default: true, description: "Colour." },
} as const;

describe("settings", () => {
  test("flags win over the environment, that over the file, that over defaults; each origin is named", () => {
    const sources = {
      file: { path: "rdg.config.ts", content: { port: 1, store: { memory: "2GB" }, "jobs.windowMax": "5s" } },
      environment: { RDG_PORT: "2", RDG_STORE_MEMORY: "3GB" },
      flags: { port: 3 },
    };
    const { values, origins } = resolveSettings(list, sources);
    expect(values).toEqual({ port: 3, "store.memory": 3e9, "jobs.windowMax": 5000, color: true });
    expect(origins).toEqual({
      port: "--port",
      "store.memory": "RDG_STORE_MEMORY",
      "jobs.windowMax": "rdg.config.ts",
      color: "default",
    });
  });

  test("an unknown setting and a bad value say where they stand", () => {
    expect(() => resolveSettings(list, { file: { path: "f", content: { store: { memroy: 1 } } } })).toThrow(
      'There is no setting "store.memroy"',
    );
    expect(() => resolveSettings(list, { environment: { RDG_PORT: "70000" } })).toThrow("between 0 and 65535");
    expect(() => resolveSettings(list, { environment: { RDG_COLOR: "yes" } })).toThrow("true or false");
  });

  test("names map to variables and flags", () => {
    expect(variableOf("jobs.windowMax")).toBe("RDG_JOBS_WINDOW_MAX");
    expect(flagOf("jobs.windowMax")).toBe("--jobs-window-max");
  });
});

describe("units", () => {
  test("durations", () => {
    expect(["250ms", "1.5s", "5m", "6h", "100d"].map((text) => parseDuration(text))).toEqual([
      250, 1500, 300_000, 21_600_000, 8_640_000_000,
    ]);
    expect(() => parseDuration("30 days")).toThrow("not a duration");
    expect([350, 125_000, 100_800_000].map(formatDuration)).toEqual(["350ms", "2m 5s", "1d 4h"]);
  });

  test("sizes", () => {
    expect(["12", "64MB", "1.5kB"].map((text) => parseSize(text))).toEqual([12, 64e6, 1500]);
    expect(() => parseSize("64 MiB")).toThrow("not a size");
    expect([12, 64e6, 1_534_000_000].map(formatSize)).toEqual(["12B", "64MB", "1.53GB"]);
  });
});
