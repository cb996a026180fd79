// Which part may import which: core <- model <- ports <- adapters and stages <- compose <- cli. (Cycles: import/no-cycle in .oxlintrc.json.)
import { builtinModules } from "node:module";

/** Folders `src/<stage>/<technology>/` that hold an adapter of the stage's port. A new technology is named here. */
const technologies = "(embedded|kafka|confluent|cassandra|redis|flink|iceberg|memory|opentelemetry)";
const adapter = `^src/[^/]+/${technologies}/`;
const port = "^src/[^/]+/(in-place/)?port[.]ts$";
/** The composition root, the entry points and what users import in their own tests stand above the stages. */
const above = "^src/(compose[.]ts$|compose/|index[.]ts$|cli/|testing/)";
const stage = "^src/(?!core/|model/|compose/|cli/|testing/)([^/]+)/";
const test = "[.]test[.]ts$";

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    {
      name: "core-imports-nothing-of-ours",
      comment: "core/ is true of any program: it knows no graph, no stage.",
      severity: "error",
      from: { path: "^src/core/", pathNot: test },
      to: { path: "^src/", pathNot: "^src/core/" },
    },
    {
      name: "model-imports-core-only",
      comment: "The model is what every stage shares; it knows none of them.",
      severity: "error",
      from: { path: "^src/model/", pathNot: test },
      to: { path: "^src/", pathNot: "^src/(core|model)/" },
    },
    {
      name: "port-imports-core-model-ports-only",
      comment: "A port is a contract: it names no implementation.",
      severity: "error",
      from: { path: port },
      to: { path: "^src/", pathNot: ["^src/(core|model)/", port] },
    },
    {
      name: "stages-meet-through-ports",
      comment:
        "A stage imports core, model, ports and itself. What it needs of another stage belongs into that stage's port.ts.",
      severity: "error",
      from: { path: stage, pathNot: test },
      to: { path: "^src/", pathNot: ["^src/(core|model)/", port, "^src/$1/"] },
    },
    {
      name: "adapter-knows-one-technology",
      comment: "An adapter does not reach into another technology's adapter of the same stage.",
      severity: "error",
      from: { path: `^src/([^/]+)/${technologies}/`, pathNot: test },
      to: { path: adapter, pathNot: "^src/$1/$2/" },
    },
    {
      name: "only-compose-names-adapters",
      comment: "The command line and the entry points get adapters from compose.ts.",
      severity: "error",
      from: { path: "^src/(index[.]ts$|cli/)", pathNot: test },
      to: { path: adapter },
    },
    {
      name: "only-cli-and-entry-points-import-compose",
      comment: "Nothing below the composition root knows it.",
      severity: "error",
      from: { path: "^src/", pathNot: [above, test] },
      to: { path: "^src/(compose[.]ts$|compose/)" },
    },
    {
      name: "nothing-imports-cli",
      comment: "The command line is the end of the chain.",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/cli/", test] },
      to: { path: "^src/cli/" },
    },
    {
      name: "client-imports-model-and-core-only",
      comment: "The client is a small download for browsers.",
      severity: "error",
      from: { path: "^src/client/", pathNot: test },
      to: { path: "^src/", pathNot: "^src/(client|model|core)/" },
    },
    {
      name: "client-knows-no-grpc",
      comment: "gRPC needs Node: it is an entry point of its own, rdg/client/grpc.",
      severity: "error",
      from: { path: "^src/client/", pathNot: ["^src/client/grpc/", test] },
      to: { path: ["^src/client/grpc/", "^src/model/rpc/"] },
    },
    {
      name: "client-runs-in-browsers",
      comment:
        "Nothing that the client reaches may import a module of Node. `npx depcruise --config import-rules.config.mjs --include-only ^src/ src/client` draws the way.",
      severity: "error",
      from: { path: "^src/client/", pathNot: ["^src/client/grpc/", test] },
      to: { path: `^(node:)?(${builtinModules.filter((name) => !name.startsWith("_")).join("|")})$`, reachable: true },
    },
    {
      name: "sources-import-no-tests",
      comment: "test/, bench/, examples/, scripts/ and tools/ are not published.",
      severity: "error",
      from: { path: "^src/", pathNot: test },
      to: { path: ["^(test|bench|examples|scripts|tools)/", test] },
    },
    {
      name: "sources-import-published-dependencies",
      comment:
        "What src/ needs at run time stands under dependencies in package.json. Conformance suites run under the project's test runner only.",
      severity: "error",
      from: { path: "^src/", pathNot: [test, "/conformance[^/]*[.]ts$", "^src/testing/"] },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only", "npm"] },
    },
    {
      name: "imports-resolve",
      comment: "The import leads nowhere.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["rdg-source", "import", "node", "types", "default"],
    },
  },
};
