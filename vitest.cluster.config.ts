// Tests against real servers: Kafka and Cassandra, started from their jars on loopback. Apart from `npm test`, because they need Java and Maven and take
// minutes: `npm run test:cluster`.
import { defineConfig } from "vitest/config";

const conditions = ["rdg-source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["test/cluster/**/*.test.ts"],
    globalSetup: ["test/cluster/shared-servers.ts"],
    pool: "forks",
    maxWorkers: 2,
    execArgv: ["--conditions=rdg-source"],
    // Cassandra takes half a minute to start, and more on a busy machine.
    testTimeout: 600_000,
    hookTimeout: 180_000,
    teardownTimeout: 120_000,
  },
});
