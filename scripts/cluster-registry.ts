// The registry of `npm run cluster` as a process of its own: cluster-registry.ts FOLDER PORT.
import { reportFailure } from "../src/cli/output.ts";
import { serveRegistry } from "./cluster/registry.ts";

const [folder, port] = process.argv.slice(2);
try {
  const registry = await serveRegistry(folder!, Number(port));
  process.once("SIGTERM", () => void registry.close());
  console.log(`Registry serves on ${registry.url}`);
} catch (error) {
  process.exitCode = reportFailure(error);
}
