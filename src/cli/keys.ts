// `rdg keys`: makes, lists and revokes API keys of a data folder. A server that runs on it takes them up by itself.
import { userInfo } from "node:os";
import type { Command } from "commander";
import { systemClock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { parseDuration } from "../core/units.ts";
import { parseTimestamp } from "../model/avro/json-values.ts";
import type { AuditLog } from "../serve/auth/audit-log.ts";
import type { KeyFolder } from "../serve/auth/key-folder.ts";
import { print, printJson, say } from "./output.ts";
import { settingsOf } from "./settings.ts";

interface CreateOptions extends Readonly<Record<string, unknown>> {
  readonly scope: readonly string[];
  readonly expires?: string;
  readonly requests?: string;
  readonly scanned?: string;
  readonly json?: boolean;
}

export function addKeysCommand(program: Command): void {
  const keys = program.command("keys").description("make, list and revoke API keys");
  addFolderOptions(keys.command("create"))
    .description("make a key and print it, once: it is kept nowhere")
    .argument("<name>", "what the key is for, such as `ingest of playback`")
    .requiredOption(
      "--scope <scope...>",
      "read, read:<node or edge type>, produce, produce:<event or side input>, observe, admin",
    )
    .option("--expires <when>", "after a time such as 90d, or at a time such as 2027-01-31T00:00:00Z (default: never)")
    .option("--requests <n>", "requests per second that it may send, instead of the setting rate.requests")
    .option("--scanned <n>", "edges per second that its queries may scan, instead of the setting rate.scanned")
    .option("--json", "print key, id and what it may as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ rdg keys create dashboard --scope read:watched read:title --expires 90d > key",
    )
    .action(create);
  addFolderOptions(keys.command("list"))
    .description("print the keys' ids, names, scopes and times; never the keys")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExample:\n  $ rdg keys list")
    .action(list);
  addFolderOptions(keys.command("revoke"))
    .description("end a key: a running server refuses it within a second")
    .argument("<id>", "the key's id, as `rdg keys list` prints it: the part between the underscores of the key")
    .addHelpText("after", "\nExample:\n  $ rdg keys revoke 4f0cx8k2m1p9")
    .action(revoke);
}

function addFolderOptions(command: Command): Command {
  return command
    .option("--data <text>", "folder of all data")
    .option("--config <file>", "settings file (default: rdg.config.ts where it exists)");
}

async function create(name: string, options: CreateOptions): Promise<void> {
  const nowMs = systemClock.now();
  const { folder, audit } = await openFolder(options);
  const limits = {
    ...rateOf("requestsPerSecond", "--requests", options.requests),
    ...rateOf("scannedPerSecond", "--scanned", options.scanned),
  };
  const { secret, key } = await folder.create(
    {
      name,
      scopes: options.scope,
      ...(options.expires === undefined ? {} : { expiresAt: momentOf(options.expires, nowMs) }),
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
    },
    nowMs,
  );
  try {
    const { id, ...details } = key;
    await audit.record({ event: "key.created", who: user(), operation: "rdg keys create", target: id, details });
  } catch (error) {
    await folder.revoke(key.id);
    throw error;
  }
  if (options.json === true) return printJson({ key: secret, ...key });
  print(secret);
  say(`Key ${key.id} for ${key.scopes.join(", ")}, ${endOf(key.expiresAt)}. It is not shown again.`);
}

async function list(options: Readonly<Record<string, unknown>>): Promise<void> {
  const { folder } = await openFolder(options);
  const found = [];
  for (const name of (await folder.names()).sort()) {
    try {
      const known = await folder.read(name);
      if (known !== undefined) found.push(known.key);
    } catch (error) {
      if (!(error instanceof RdgError)) throw error;
      say(`rdg: ${error.message} (at ${error.place})`);
    }
  }
  if (options["json"] === true) return printJson(found);
  for (const { id, name, scopes, createdAt, expiresAt } of found) {
    print(`${id}  ${name}  ${scopes.join(" ")}  made ${createdAt}  ${endOf(expiresAt)}`);
  }
}

async function revoke(id: string, options: Readonly<Record<string, unknown>>): Promise<void> {
  const { folder, audit } = await openFolder(options);
  await folder.revoke(id);
  await audit.record({ event: "key.revoked", who: user(), operation: "rdg keys revoke", target: id });
  say(`Key ${id} is revoked.`);
}

async function openFolder(options: Readonly<Record<string, unknown>>): Promise<{ folder: KeyFolder; audit: AuditLog }> {
  const [{ auditLogOf }, { KeyFolder }, { makeDataFolder }, { values }] = await Promise.all([
    import("../compose/access.ts"),
    import("../serve/auth/key-folder.ts"),
    import("../compose/data-folder.ts"),
    settingsOf(options),
  ]);
  await makeDataFolder(values.data);
  return { folder: new KeyFolder(values.data), audit: auditLogOf(values, systemClock) };
}

/** A command has no other proof of who runs it than the operating system. */
function user(): { id: string; name: string } {
  const { username } = userInfo();
  return { id: `user:${username}`, name: username };
}

function momentOf(written: string, nowMs: number): string {
  const atMs = parseTimestamp(written) ?? nowMs + parseDuration(written, "--expires");
  return new Date(atMs).toISOString();
}

function rateOf(name: string, flag: string, written: string | undefined): Record<string, number> {
  if (written === undefined) return {};
  if (/^[1-9]\d{0,14}$/.test(written)) return { [name]: Number(written) };
  throw new RdgError("invalid", "bad_rate", `${written} is not a whole number from 1 on.`, { place: flag });
}

function endOf(expiresAt: string | undefined): string {
  return expiresAt === undefined ? "never expires" : `expires ${expiresAt}`;
}
