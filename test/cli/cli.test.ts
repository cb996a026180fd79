import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Dev, runCli } from "./run-cli.ts";

let folder: string;
let project: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-cli-"));
  project = join(folder, "my-graph");
  expect(await runCli(["init", project])).toMatchObject({ code: 0, out: `${project}\n` });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a new folder of rdg init", () => {
  let dev: Dev;

  beforeAll(async () => {
    dev = await Dev.start([], { cwd: project });
  });
  afterAll(() => dev.stop("SIGKILL"));

  const rdg = (...args: string[]): ReturnType<typeof runCli> => runCli([...args, "--url", dev.url], { cwd: project });

  test("takes its sample events, from a file and from stdin", async () => {
    expect(await rdg("produce", "view", "sample-events.ndjson")).toMatchObject({
      code: 0,
      out: "5 accepted, 0 rejected\n",
    });
    const input = await readFile(join(project, "sample-events.ndjson"), "utf8");
    const again = await runCli(["produce", "view", "--json", "--url", dev.url], { cwd: project, input });
    expect(again.code).toBe(0);
    expect(JSON.parse(again.out)).toEqual({ accepted: 5, rejected: 0, positions: ["events.view/0@9"] });
  });

  test("answers queries as a tree, a table and JSON", async () => {
    await expect
      .poll(async () => (await rdg("query", "(page {id: 'docs'})<-[:viewed]-(user)")).out, { timeout: 20_000 })
      .toContain("bob");
    const text = "(user {id: 'ada'})-[:viewed]->(page)<-[:viewed]-(user)";
    const tree = await rdg("query", text);
    expect(tree.out).toContain("user ada");
    expect(tree.out).toContain("page docs");
    expect((await rdg("query", text, "--table")).out).toContain("times: 2");
    const json = JSON.parse((await rdg("query", text, "--json")).out) as { complete: boolean; levels: unknown[] };
    expect(json).toMatchObject({ complete: true, levels: [{}, {}, {}] });
  });

  test("explains a query: what would be walked, and what it cost", async () => {
    const text = "(user {id: 'ada'})-[:viewed {limit: 7}]->(page)";
    const plan = await rdg("query", text, "--explain", "plan");
    expect(plan).toMatchObject({ code: 0, err: "" });
    expect(plan.out).toMatch(
      /^Hop 1\n {2}user ─ viewed → page {2}limit 7 \(hop\), latest \(built-in\), since .+\nBudget: .+\n$/,
    );
    const profile = await rdg("query", text, "--explain", "profile", "--table");
    expect(profile.out).toMatch(/^hop +edge [^]+\n\nHop 1\n[^]+\nhop +walked from [^]+\n +1 +1 [^]+\nWaited /);
    const json = JSON.parse((await rdg("query", text, "--explain", "plan", "--json")).out) as object;
    expect(json).toMatchObject({
      levels: [],
      explain: { hops: [{ branches: [{ edge: "viewed", rule: { limit: 7 } }] }] },
    });
    expect(await rdg("query", text, "--explain", "all")).toMatchObject({ code: 2 });
  });

  test("counts, finds paths and what nodes have in common", async () => {
    const counted = await rdg("count", "page", "docs", "nothing");
    expect(counted.out).toMatch(/^id +edge +direction +count\ndocs +viewed +in +[1-9]\nnothing +viewed +in +0\n$/);
    const json = JSON.parse(
      (await rdg("count", "user", "ada", "-e", "viewed", "--since", "ever", "--json")).out,
    ) as object;
    expect(json).toMatchObject({ counts: [{ id: "ada", edge: "viewed", direction: "out" }] });
    const path = await rdg("path", "user", "ada", "user", "bob");
    expect(path.out).toMatch(/^user ada.*\n└─ viewed → page docs.*\n {3}└─ viewed ← user bob/);
    const none = await rdg("path", "user", "ada", "user", "nobody");
    expect(none).toMatchObject({ code: 0, out: "", err: "No path was found within 6 edges.\n" });
    const common = await rdg("common", "user", "ada", "bob", "--limit", "1");
    expect(common.out).toMatch(/^page .*\n├─ viewed ← user ada.*\n└─ viewed ← user bob/);
    expect(await rdg("common", "user", "ada", "bob", "--limit", "few")).toMatchObject({ code: 2 });
  });

  test("writes its definition for programs that do not share the source", async () => {
    const out = join(folder, "client.ts");
    const written = await runCli(["client", dev.url, "--out", out]);
    expect(written).toMatchObject({ code: 0, out: "" });
    const source = await readFile(out, "utf8");
    expect(source).toContain(`written by \`rdg client ${dev.url}\``);
    expect(source).toContain('export const viewed = edge("viewed", user, page, {');
    const { fingerprint } = (await (await fetch(`${dev.url}/v1/status`)).json()) as { fingerprint: string };
    expect(source).toContain(`(definition ${fingerprint.slice(0, 12)})`);
    expect((await runCli(["client", dev.url])).out).toBe(source);
    expect((await runCli(["client", "http://127.0.0.1:1"])).code).toBe(4);
  });

  test("a mistake in a query is shown with its place, and exits with 2", async () => {
    const { code, err } = await rdg("query", "(user {id: 'ada'})-[:veiwed]->(page)");
    expect(code).toBe(2);
    expect(err).toContain("viewed");
  });

  test("bad records stop produce with the line and field; --partial quarantines them and goes on", async () => {
    const input = `{"userId":"u","pageId":"p","at":"2026-01-01T00:00:00Z"}\n{"userId":7,"pageId":"p","at":"2026-01-01T00:00:00Z"}\n`;
    const refused = await runCli(["produce", "view", "--url", dev.url], { input });
    expect(refused).toMatchObject({ code: 2, out: "" });
    expect(refused.err).toContain("userId");
    const partial = await runCli(["produce", "view", "--partial", "--url", dev.url], { input });
    expect(partial).toMatchObject({ code: 2, out: "1 accepted, 1 rejected\n" });
    expect(partial.err).toContain("line 2, userId");
    const quarantined = await rdg("tail", "quarantine.gateway", "--from", "start", "--no-follow", "--json");
    expect(JSON.parse(quarantined.out)).toMatchObject({ topic: "quarantine.gateway", value: { stage: "gateway" } });
  });

  test("tail prints decoded records, by key and limit", async () => {
    const events = await rdg(
      "tail",
      "events.view",
      "--from",
      "start",
      "--no-follow",
      "--key",
      "ada",
      "--limit",
      "2",
      "--json",
    );
    const records = events.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { key: string; value: { pageId: string } });
    expect(records.map(({ key, value }) => [key, value.pageId])).toEqual([
      ["ada", "home"],
      ["ada", "docs"],
    ]);
    const updates = await rdg("tail", "edges.viewed", "--from", "start", "--no-follow");
    expect(updates.out).toContain('"from":"ada","to":"docs"');
    expect(await rdg("tail", "events.nothing")).toMatchObject({ code: 3 });
  });

  test("status tells counters; verify finds no difference", async () => {
    // What the open window holds is emitted and not yet published.
    const statusOf = async () =>
      JSON.parse((await rdg("status", "--json")).out) as {
        jobs: { lagRecords: number; counters: Record<string, number[]> }[];
      };
    await expect.poll(async () => (await statusOf()).jobs[0]!.lagRecords, { timeout: 20_000 }).toBe(0);
    const status = await statusOf();
    const { received, filtered, deduplicated, quarantined, mapped, emitted, merged, published } = Object.fromEntries(
      Object.entries(status.jobs[0]!.counters).map(([name, counts]) => [name, counts.reduce((sum, n) => sum + n, 0)]),
    );
    expect(received).toBe(filtered! + deduplicated! + quarantined! + mapped!);
    expect(emitted).toBe(merged! + published!);
    expect((await rdg("status")).out).toContain("job");
    expect(await rdg("store", "verify")).toMatchObject({ code: 0, out: "" });
  });

  test.runIf(process.platform === "linux")(
    "the process asks for huge pages where Linux gives them, unless told not to, for a small young generation, and for helpers that leave it a core",
    async () => {
      const commandOf = (pid: number): Promise<string> => readFile(`/proc/${pid}/cmdline`, "utf8");
      expect((await commandOf(dev.pid)).match(/--max-semi-space-size=2\0/g)).toHaveLength(1);
      const helpers = Math.max(1, availableParallelism() - 1);
      expect((await commandOf(dev.pid)).includes(`--v8-pool-size=${helpers}\0`)).toBe(helpers < 4);
      const wishes = async (pid: number): Promise<boolean> =>
        (await readFile(`/proc/${pid}/environ`, "utf8")).includes("glibc.malloc.hugetlb=1");
      const kernel = await readFile("/sys/kernel/mm/transparent_hugepage/enabled", "utf8").catch(() => "");
      expect(await wishes(dev.pid)).toBe(kernel.includes("[madvise]"));
      const other = await Dev.start(["--memory-huge-pages", "false", "--data", join(folder, "small-pages")], {
        cwd: project,
      });
      expect(await wishes(other.pid)).toBe(false);
      expect(await other.stop("SIGTERM")).toBe(0);
    },
  );

  test("a second process on the same folder is refused in one line", async () => {
    const { code, err } = await runCli(["dev", "--port", "0"], { cwd: project });
    expect(code).toBe(4);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(err).toMatch(/rdg: .*(lock|process|use)/i);
  });

  test("SIGTERM finishes what was accepted and exits 0; the next start has it all, offline verify too", async () => {
    const before = (await rdg("query", "(user {id: 'ada'})-[:viewed]->(page)")).out;
    expect(await dev.stop("SIGTERM")).toBe(0);
    expect(await runCli(["store", "verify"], { cwd: project })).toMatchObject({ code: 0, out: "" });
    dev = await Dev.start([], { cwd: project });
    expect((await rdg("query", "(user {id: 'ada'})-[:viewed]->(page)")).out).toBe(before);
  });
});

describe("without a server", () => {
  test("every command has help with an example", async () => {
    const { out } = await runCli(["--help"]);
    for (const command of [
      "init",
      "dev",
      "produce",
      "tail",
      "query",
      "schema",
      "plan",
      "status",
      "store verify",
      "config",
    ]) {
      expect(out).toContain(command.split(" ")[0]);
      expect((await runCli([...command.split(" "), "--help"])).out).toContain("Example:");
    }
  }, 60_000);

  test("a wrong flag is named and exits with 2", async () => {
    const { code, err } = await runCli(["query", "x", "--colour"]);
    expect(code).toBe(2);
    expect(err).toContain("--colour");
  });

  test("plan and schema print what a definition asks for", async () => {
    const plan = await runCli(["plan"], { cwd: project });
    expect(plan.out).toContain("(user)-[viewed]->(page)");
    const schema = await runCli(["schema", "events.view-value"], { cwd: project });
    expect(JSON.parse(schema.out)).toMatchObject({ type: "record" });
    expect(await runCli(["schema", "nothing"], { cwd: project })).toMatchObject({ code: 3 });
  });

  test("config names where each value came from", async () => {
    await writeFile(join(project, "rdg.config.ts"), `export default { store: { memory: "2GB" } };\n`);
    const { out } = await runCli(["config", "--json", "--port", "7500"], {
      cwd: project,
      env: { RDG_LOG_LEVEL: "warn" },
    });
    expect(JSON.parse(out)).toMatchObject({
      port: { value: 7500, origin: "--port" },
      "log.level": { value: "warn", origin: "RDG_LOG_LEVEL" },
      "store.memory": { value: 2e9, origin: join(project, "rdg.config.ts") },
      data: { value: ".rdg", origin: "default" },
    });
    expect(await runCli(["config"], { cwd: project, env: { RDG_PORT: "many" } })).toMatchObject({ code: 2 });
  });

  test("nobody there, no definition, a folder that is not empty: each says what to do", async () => {
    const nobody = await runCli(["status", "--url", "http://127.0.0.1:9"]);
    expect(nobody).toMatchObject({ code: 4 });
    expect(nobody.err).toContain("rdg dev");
    const none = await runCli(["dev"], { cwd: folder });
    expect(none).toMatchObject({ code: 3 });
    expect(none.err).toContain("rdg init");
    expect(await runCli(["init", project])).toMatchObject({ code: 4 });
  });
});
