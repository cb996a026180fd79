// `rdg init`: a new folder with a small definition, sample events and scripts, which works at once.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { print, say } from "./output.ts";

const definition = `// Who looked at which page on which device: events in, a graph out.
import { count, defineGraph, edge, event, job, node, t } from "rdg";

export const view = event("view", {
  key: "userId",
  time: "at",
  fields: { userId: t.string(), pageId: t.string(), deviceId: t.string().optional(), at: t.timestamp() },
});

export const user = node("user");
export const page = node("page", { views: t.counter() });
export const device = node("device");
export const viewed = edge("viewed", user, page, { ttl: "100d", properties: { times: t.counter() } });
export const uses = edge("uses", user, device, { ttl: "100d" });

const fromView = job(view, { window: "1s" }).emit((e) => [
  user.upsert(e.userId),
  page.upsert(e.pageId, { views: count(1) }),
  device.upsert(e.deviceId),
  viewed.upsert(e.userId, e.pageId, { times: count(1) }),
  uses.upsert(e.userId, e.deviceId),
]);

export default defineGraph("views", { jobs: [fromView] });
`;

const sampleViews = [
  { userId: "ada", pageId: "home", deviceId: "laptop" },
  { userId: "ada", pageId: "docs", deviceId: "laptop" },
  { userId: "bob", pageId: "docs", deviceId: "phone" },
  { userId: "bob", pageId: "pricing", deviceId: "phone" },
  { userId: "cem", pageId: "pricing" },
];

/** A line per view, a minute apart and up to now: older ones would soon be past the definition's ttl. */
function sampleEvents(nowMs: number): string {
  const lines = sampleViews.map((view, i) => {
    const at = new Date(nowMs - (sampleViews.length - i) * 60_000).toISOString();
    return `${JSON.stringify({ ...view, at })}\n`;
  });
  return lines.join("");
}

const readme = `# A graph of views

    npm install
    npm run dev                                    # the server; leave it running
    npx rdg produce view sample-events.ndjson      # in a second terminal
    npx rdg query "(user {id: 'ada'})-[:viewed]->(page)<-[:viewed]-(user)"

\`graph.ts\` says what the events are and what becomes of them. Change it and start again.
`;

export function addInitCommand(program: Command): void {
  program
    .command("init")
    .description("make a new folder with a definition that works at once")
    .argument("<folder>", "the folder to make")
    .addHelpText("after", "\nExample:\n  $ rdg init my-graph")
    .action((folder: string) => {
      const path = resolve(folder);
      if (existsSync(path) && readdirSync(path).length > 0) {
        throw new RdgError("conflict", "folder_not_empty", `${path} is not empty.`, { hint: "Name a new folder." });
      }
      mkdirSync(path, { recursive: true });
      const own = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
        version: string;
      };
      const manifest = {
        name: basename(path)
          .toLowerCase()
          .replaceAll(/[^a-z0-9._-]/g, "-"),
        private: true,
        type: "module",
        scripts: { dev: "rdg dev" },
        dependencies: { rdg: `^${own.version}` },
      };
      writeFileSync(join(path, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
      writeFileSync(join(path, "graph.ts"), definition);
      writeFileSync(join(path, "sample-events.ndjson"), sampleEvents(systemClock.now()));
      writeFileSync(join(path, "README.md"), readme);
      writeFileSync(join(path, ".gitignore"), "node_modules/\n.rdg/\n");
      print(path);
      say(`Next: cd ${folder} && npm install && npm run dev`);
    });
}
