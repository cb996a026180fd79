// Valkey or Redis for tests: the machine's own, since neither is made of jars. On loopback, in memory only.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { RdgError } from "../../src/core/errors.ts";
import { loopback } from "./ports.ts";
import type { Program } from "./server-process.ts";

export interface RedisOptions {
  readonly password?: string;
  /** Encrypted only: files with its certificate, the certificate's key, and who signs those of clients. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
  /** At it, it refuses what is put: `noeviction`. Else what was not used for long is dropped. */
  readonly isFullAtBytes?: number;
}

const names = ["valkey-server", "redis-server"];

export function redisProgram(folder: string, port: number, options: RedisOptions): Program {
  const command = names.find((name) => spawnSync(name, ["--version"]).status === 0);
  if (command === undefined) {
    throw new RdgError("unavailable", "no_redis", "There is neither valkey-server nor redis-server in the path.", {
      hint: "Install one of them: `apt-get install valkey-server` or `apt-get install redis-server`.",
    });
  }
  const { password, tls, isFullAtBytes } = options;
  const settings: Record<string, string> = {
    bind: loopback,
    dir: folder,
    save: "",
    appendonly: "no",
    // Its folder stays in the command line.
    "set-proc-title": "no",
    maxmemory: String(isFullAtBytes ?? 64_000_000),
    "maxmemory-policy": isFullAtBytes === undefined ? "allkeys-lru" : "noeviction",
    port: tls === undefined ? String(port) : "0",
    ...(tls && { "tls-port": String(port), "tls-cert-file": tls.cert, "tls-key-file": tls.key }),
    ...(tls && { "tls-ca-cert-file": tls.ca, "tls-auth-clients": "yes" }),
    ...(password !== undefined && { requirepass: password }),
    pidfile: join(folder, "redis.pid"),
  };
  return {
    name: "Redis",
    folder,
    command,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    ready: /Ready to accept connections/,
    readyWithinMs: 30_000,
    stopsWithinMs: 10_000,
  };
}
