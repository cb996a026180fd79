// The external registry that a command is told of: by its options, else by the environment.
import { readFile } from "node:fs/promises";
import { systemClock, systemTimers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { openConfluentRegistry } from "../schemas/confluent/registry.ts";
import type { ConfluentAuth } from "../schemas/confluent/settings.ts";
import type { SchemaRegistry } from "../schemas/port.ts";

export interface RegistryOptions {
  /** Addresses with commas between them; else RDG_REGISTRY_URL. */
  readonly registry?: string | undefined;
  /** File with the certificates that are trusted, PEM. */
  readonly registryCa?: string | undefined;
}

/** For one command: what fails is repeated for a few seconds only. @throws RdgError invalid, `no_registry` or `bad_registry_url` */
export async function openNamedRegistry(options: RegistryOptions, env: NodeJS.ProcessEnv): Promise<SchemaRegistry> {
  const urls = (options.registry ?? env["RDG_REGISTRY_URL"] ?? "").split(",").flatMap((url) => url.trim() || []);
  if (urls.length === 0) {
    throw new RdgError("invalid", "no_registry", "It is not said where the schema registry is.", {
      hint: "Give its address with --registry, or in the variable RDG_REGISTRY_URL.",
    });
  }
  const auth = authOf(env);
  const ca = options.registryCa === undefined ? undefined : await readPem(options.registryCa);
  return openConfluentRegistry({
    connection: { urls, ...(auth && { auth }), ...(ca !== undefined && { tls: { ca } }) },
    clock: systemClock,
    timers: systemTimers,
    settings: { retryForMs: 5_000 },
  });
}

function authOf(env: NodeJS.ProcessEnv): ConfluentAuth | undefined {
  const { RDG_REGISTRY_USERNAME: username, RDG_REGISTRY_PASSWORD: password, RDG_REGISTRY_TOKEN: token } = env;
  if (token !== undefined && token !== "") return { token };
  return username === undefined || username === "" ? undefined : { username, password: password ?? "" };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new RdgError("not_found", "no_certificate", `The certificates cannot be read: ${(cause as Error).message}.`, {
      place: path,
      cause,
    });
  }
}
