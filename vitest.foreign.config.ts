// Tests that need Python and Chromium: foreign clients and tools against a real server. Apart from `npm test`, because they fetch packages: `npm run test:foreign`.
import { defineConfig } from "vitest/config";

const conditions = ["rdg-source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["test/foreign/**/*.test.ts"],
    globalSetup: ["test/foreign/python-environment.ts", "test/foreign/browser/chromium.ts"],
    pool: "forks",
    maxWorkers: 2,
    execArgv: ["--conditions=rdg-source"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
