// How the tests run: sources are run as they are, "rdg" resolves to src/ through the condition "rdg-source".
import { defineConfig } from "vitest/config";

const conditions = ["rdg-source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["test/cluster/**", "test/foreign/**", "**/node_modules/**"],
    pool: "forks",
    maxWorkers: 2,
    // Only then: it is loaded for every test file.
    setupFiles: process.env["FUZZ_SEED"] === undefined ? [] : ["test/fuzz/setup.ts"],
    execArgv: ["--conditions=rdg-source"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
});
