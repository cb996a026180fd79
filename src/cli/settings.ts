// The settings of this invocation: flags, then RDG_* variables, then rdg.config.ts, then defaults.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { checkPlaces, readClusters } from "../compose/cluster/kafka-clusters.ts";
import { type Placement, readPlacement, readStores } from "../compose/cluster/placement-settings.ts";
import { type ClusterSettings, clusterSettings } from "../compose/cluster/settings.ts";
import { readTopicOverrides, type TopicOverrides } from "../compose/cluster/topic-overrides.ts";
import { embeddedSettings } from "../compose/settings.ts";
import { resolvePackageToThisCopy } from "../compose/this-copy.ts";
import { RdgError } from "../core/errors.ts";
import { flagOf, resolveSettings, type ResolvedSettings, type SettingList } from "../core/settings.ts";

const fileNames = ["rdg.config.ts", "rdg.config.js", "rdg.config.mjs"];

/** Adds a flag per setting, such as `--store-memory 2GB`; secrets have none: flags can be read by everybody on the machine. */
export function addSettingFlags(command: Command, list: SettingList = embeddedSettings): Command {
  for (const [name, setting] of Object.entries(list)) {
    if (setting.secret === true) continue;
    command.option(`${flagOf(name)} <${setting.kind}>`, setting.description);
  }
  return command.option("--config <file>", `settings file (default: ${fileNames[0]} where it exists)`);
}

export interface InvocationSettings extends ResolvedSettings<typeof clusterSettings> {
  /** Of the file. */
  readonly topics: TopicOverrides;
  readonly placement: Placement;
  readonly values: ClusterSettings;
}

/** One file serves all commands: each takes of it what it needs. @throws RdgError invalid, naming where the bad value came from */
export async function settingsOf(options: Readonly<Record<string, unknown>>): Promise<InvocationSettings> {
  const flags: Record<string, unknown> = {};
  for (const name of Object.keys(clusterSettings)) flags[name] = options[optionKey(name)];
  const file = await readSettingsFile(options["config"]);
  const {
    topics: writtenTopics,
    clusters: writtenClusters,
    stores: writtenStores,
    placement,
    ...content
  } = file?.content ?? {};
  const resolved = resolveSettings(clusterSettings, {
    environment: process.env,
    flags,
    ...(file === undefined ? {} : { file: { path: file.path, content } }),
  });
  const path = file?.path ?? "";
  const stores = readStores(writtenStores, resolved.values, process.env, path);
  const clusters = readClusters(writtenClusters, resolved.values, process.env, path);
  const topics = readTopicOverrides(writtenTopics, path);
  checkPlaces(topics, clusters, path);
  return {
    ...resolved,
    values: { ...resolved.values, stores, clusters },
    topics,
    placement: readPlacement(placement, stores, path),
  };
}

/** The key under which commander keeps a flag's value: `--store-memory` is `storeMemory`. */
const optionKey = (name: string): string =>
  flagOf(name)
    .slice(2)
    .replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

async function readSettingsFile(
  named: unknown,
): Promise<{ path: string; content: Readonly<Record<string, unknown>> } | undefined> {
  const names = typeof named === "string" ? [named] : fileNames;
  const path = names.map((name) => resolve(name)).find((candidate) => existsSync(candidate));
  if (path === undefined) {
    if (typeof named !== "string") return undefined;
    throw new RdgError("not_found", "no_settings_file", `There is no settings file ${named}.`);
  }
  resolvePackageToThisCopy();
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    throw new RdgError("invalid", "settings_failed", `${path} cannot be loaded: ${String(error)}`, { cause: error });
  }
  const { default: content = {} } = module;
  if (typeof content === "object" && content !== null) return { path, content: { ...content } };
  throw new RdgError("invalid", "settings_failed", `${path} exports no settings.`, {
    hint: "End it with `export default defineConfig({ ... })`.",
  });
}
