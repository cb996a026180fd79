// The browser of the tests: Chromium, as it is installed, or else as Debian packages it. RDG_CHROMIUM names one.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { run } from "../run.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Command that starts a Chromium. */
    readonly chromium: string;
  }
}

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const hint = "Install Chromium (Debian: apt-get install chromium), or name one with RDG_CHROMIUM.";

export async function setup(project: TestProject): Promise<void> {
  project.provide("chromium", process.env["RDG_CHROMIUM"] ?? (await installed()) ?? (await fetched()));
}

async function installed(): Promise<string | undefined> {
  for (const name of names) if ((await outputOf(name, ["--version"], 60_000)).ok) return name;
  return undefined;
}

/** Where packages may be installed without asking anybody: by root on Debian and what descends from it. */
async function fetched(): Promise<string> {
  if (process.getuid?.() !== 0) throw new Error(`There is no Chromium, and only root may install it. ${hint}`);
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", "chromium"]]) {
    const { ok, output } = await outputOf("apt-get", args, 600_000);
    if (!ok) throw new Error(`There is no Chromium, and apt-get ${args[0]} failed. ${hint}\n${output}`);
  }
  const name = await installed();
  if (name === undefined) throw new Error(`apt-get has installed a Chromium that does not start. ${hint}`);
  return name;
}

async function outputOf(
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<{ ok: boolean; output: string }> {
  try {
    const { code, output } = await run(command, args, { timeoutMs, env: { DEBIAN_FRONTEND: "noninteractive" } });
    return { ok: code === 0, output };
  } catch (error) {
    return { ok: false, output: String(error) };
  }
}

/** A page open in a Chromium without a window. */
export class OpenPage {
  readonly #child: ChildProcess;
  readonly #profile: string;
  /** Rejects, with what it said, when the browser ends by itself. */
  readonly ended: Promise<never>;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    let output = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (output += text));
    this.ended = new Promise((_, reject) => {
      child.once("error", reject);
      child.once("close", (code) => reject(new Error(`Chromium ended with ${code}:\n${output}`)));
    });
    this.ended.catch(() => undefined);
  }

  static async open(command: string, url: string): Promise<OpenPage> {
    const profile = await mkdtemp(join(tmpdir(), "rdg-chromium-"));
    const args = [
      "--headless",
      // Its sandbox does not work for root, nor in most containers; the page is ours.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--no-first-run",
      // Otherwise --headless prints and ends.
      "--remote-debugging-port=0",
      "--enable-logging=stderr",
      `--user-data-dir=${profile}`,
      url,
    ];
    // A group of its own: its processes end together.
    return new OpenPage(spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], detached: true }), profile);
  }

  async close(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) {
      process.kill(-pid, "SIGKILL");
      await this.ended.catch(() => undefined);
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
