// Lint rule of our own: time and chance enter through the ports of src/core/ only, so that every run can be repeated.
import { type ESTree, definePlugin, defineRule } from "@oxlint/plugins";

const clock = "Read the time from the `Clock` port of src/core/.";
const timers = "Wait with the `Timers` port of src/core/.";
const random = "Draw from the `Random` port of src/core/.";

const globals = new Map([
  ["setTimeout", timers],
  ["setInterval", timers],
  ["setImmediate", timers],
]);
const members = new Map([
  ["Date.now", clock],
  ["Math.random", random],
  ["crypto.randomUUID", random],
  ["crypto.getRandomValues", random],
]);
/** Imports that would walk around the bans above; `module.*` is any import of the module. */
const imports = new Map([
  ["timers.*", timers],
  ["timers/promises.*", timers],
  ["crypto.randomUUID", random],
  ["crypto.randomBytes", random],
  ["crypto.randomInt", random],
  ["crypto.getRandomValues", random],
]);

const noAmbientTimeOrChance = defineRule({
  meta: {
    type: "problem",
    docs: { description: "Time, timers and chance come from the ports of src/core/." },
  },
  create(context) {
    const report = (node: ESTree.Node, what: string, instead: string | undefined): void => {
      if (instead !== undefined) context.report({ node, message: `\`${what}\` cannot be repeated. ${instead}` });
    };
    return {
      Identifier(node) {
        if (globals.has(node.name) && context.sourceCode.isGlobalReference(node)) {
          report(node, node.name, globals.get(node.name));
        }
      },
      MemberExpression(node) {
        if (node.property.type !== "Identifier" || node.object.type !== "Identifier") return;
        const name = `${node.object.name}.${node.property.name}`;
        if (node.object.name === "globalThis") report(node, name, globals.get(node.property.name));
        else report(node, name, members.get(name));
      },
      NewExpression(node) {
        if (node.callee.type === "Identifier" && node.callee.name === "Date" && node.arguments.length === 0) {
          report(node, "new Date()", clock);
        }
      },
      ImportDeclaration(node) {
        if (node.importKind === "type") return;
        const module = node.source.value.replace(/^node:/, "");
        report(node, node.source.value, imports.get(`${module}.*`));
        for (const specifier of node.specifiers) {
          if (specifier.type !== "ImportSpecifier" || specifier.imported.type !== "Identifier") continue;
          report(specifier, specifier.imported.name, imports.get(`${module}.${specifier.imported.name}`));
        }
      },
    };
  },
});

// oxlint-disable-next-line import/no-default-export -- the linter loads plugins by their default export
export default definePlugin({
  meta: { name: "rdg" },
  rules: { "no-ambient-time-or-chance": noAmbientTimeOrChance },
});
