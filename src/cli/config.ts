// `rdg config`: prints every setting with its value and where the value came from.
import type { Command } from "commander";
import { type ClusterSettings, clusterSettings } from "../compose/cluster/settings.ts";
import { describeOverride } from "../compose/cluster/topic-overrides.ts";
import type { Setting } from "../core/settings.ts";
import { formatDuration, formatSize } from "../core/units.ts";
import { print, printJson } from "./output.ts";
import { addSettingFlags, settingsOf } from "./settings.ts";

export function addConfigCommand(program: Command): void {
  const command = program
    .command("config")
    .description("print the settings and where each value came from")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExample:\n  $ RDG_STORE_MEMORY=2GB rdg config");
  addSettingFlags(command, clusterSettings).action(async (options: Record<string, unknown>) => {
    const { values, origins, topics, placement } = await settingsOf(options);
    const rows = Object.entries<Setting>(clusterSettings).map(([name, setting]) => ({
      name,
      value: shown(values[name as keyof typeof clusterSettings], setting),
      origin: origins[name]!,
      setting,
    }));
    if (options["json"] === true) {
      const settings = Object.fromEntries(rows.map(({ name, value, origin }) => [name, { value, origin }]));
      return printJson({
        ...settings,
        ...(topics.size === 0 ? {} : { topics: Object.fromEntries(topics) }),
        ...(values.stores?.size ? { stores: Object.fromEntries([...values.stores].map(storeOnly)) } : {}),
        ...(placement.size === 0 ? {} : { placement: Object.fromEntries(placement) }),
      });
    }
    const width = Math.max(...rows.map(({ name }) => name.length));
    for (const { name, value, origin, setting } of rows) {
      print(
        `${name.padEnd(width)}  ${written(value, setting).padEnd(12)}  ${origin.padEnd(20)}  ${setting.description}`,
      );
    }
    for (const [topic, override] of topics) print(`topics ${topic}  ${describeOverride(override)}`);
    for (const [name, of] of values.stores ?? [])
      print(`stores ${name}  ${Object.values(storeOnly([name, of])[1]).join(" ")}`);
    for (const [type, store] of placement) print(`placement ${type}  ${store}`);
  });
}

/** What tells a store from others; nothing secret. */
function storeOnly([name, settings]: readonly [string, ClusterSettings]) {
  const { "store.kind": kind, "cassandra.contacts": contacts, "cassandra.keyspace": keyspace } = settings;
  return [name, kind === "embedded" ? { kind } : { kind, contacts, keyspace }] as const;
}

/** Of a secret is told whether there is one. */
function shown<T>(value: T, setting: Setting): T | "(set)" {
  return setting.secret === true && value !== "" ? "(set)" : value;
}

function written(value: string | number | boolean, setting: Setting): string {
  if (setting.kind === "size") return formatSize(Number(value));
  if (setting.kind === "duration") return formatDuration(Number(value));
  return value === "" ? '""' : String(value);
}
