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
    testTimeout: 120_000,
    // The first start of a server fetches it.
    hookTimeout: 600_000,
    teardownTimeout: 120_000,
  },
});
