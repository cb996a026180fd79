// A git repository for tests, made by scripted commits with fixed times and people, in a folder that is removed afterwards.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const isolated = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  LC_ALL: "C",
  GIT_AUTHOR_NAME: "Nobody",
  GIT_AUTHOR_EMAIL: "nobody@example.org",
  GIT_COMMITTER_NAME: "Nobody",
  GIT_COMMITTER_EMAIL: "nobody@example.org",
};

export const firstCommitSeconds = 1_600_000_000;

export interface CommitOptions {
  readonly name?: string;
  readonly email?: string;
  /** Seconds since the epoch; a minute after the commit before unless said. */
  readonly at?: number;
}

export class TestRepository {
  readonly path: string;
  #seconds = firstCommitSeconds - 60;

  constructor(path = mkdtempSync(join(tmpdir(), "rdg-git-"))) {
    this.path = path;
    this.git("init", "--quiet", "--initial-branch=main", ".");
  }

  git(...args: string[]): string {
    return execFileSync("git", args, {
      cwd: this.path,
      env: isolated,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  /** The path may have any bytes: a Buffer says them exactly. */
  write(path: string | Buffer, content: string | Buffer): void {
    const full = Buffer.concat([Buffer.from(`${this.path}/`), Buffer.from(path)]);
    if (typeof path === "string") mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(full, content);
  }

  /** Everything there is, committed; gives the hash. */
  commit(
    message: string | Buffer,
    { name = "Ada", email = "ada@example.org", at = this.#seconds + 60 }: CommitOptions = {},
  ): string {
    this.#seconds = at;
    this.git("add", "--all");
    this.#as({ name, email, at, input: message }, "commit", "--quiet", "--allow-empty", "--allow-empty-message", "-F-");
    return this.head();
  }

  merge(branch: string): string {
    this.#seconds += 60;
    const who = { name: "Ada", email: "ada@example.org", at: this.#seconds };
    this.#as(who, "merge", "--quiet", "--no-ff", "-m", `merge ${branch}`, branch);
    return this.head();
  }

  head(): string {
    return this.git("rev-parse", "HEAD").trim();
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #as({ name, email, at, input = "" }: Required<CommitOptions> & { input?: string | Buffer }, ...args: string[]): void {
    const author = { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_AUTHOR_DATE: `@${at} +0000` };
    const env = { ...isolated, ...author, GIT_COMMITTER_DATE: `@${at} +0000` };
    execFileSync("git", args, { cwd: this.path, env, input, stdio: "pipe" });
  }
}
