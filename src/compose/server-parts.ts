// What every HTTP server of RDG is given alike: its settings, and where its spans go.
import type { Clock } from "../core/clock.ts";
import { version } from "../index.ts";
import type { Tracer } from "../observe/port.ts";
import type { ServerSettings } from "../serve/settings.ts";
import type { EmbeddedSettings } from "./settings.ts";

export function serverSettingsOf(settings: EmbeddedSettings, connectionsMax: number): Partial<ServerSettings> {
  return {
    host: settings.host,
    port: settings.port,
    eventBytesMax: settings["gateway.body"],
    bytesInFlightMax: settings["gateway.inFlight"],
    eventLatencyMs: settings["gateway.latency"],
    connectionsMax,
    allowedHosts: listed(settings["serve.hosts"]),
    corsOrigins: listed(settings["serve.cors"]),
    plaintext: settings["tls.off"],
  };
}

function listed(text: string): string[] {
  return text.split(",").flatMap((each) => each.trim() || []);
}

/** Nothing of OpenTelemetry is loaded where no collector is configured. */
export async function openConfiguredTracer(
  settings: EmbeddedSettings,
  graph: string,
  clock: Clock,
): Promise<Tracer | undefined> {
  const endpoint = settings["otel.endpoint"];
  if (endpoint === "") return undefined;
  const { openTracer } = await import("../observe/opentelemetry/tracer.ts");
  return openTracer({ endpoint, ratio: settings["otel.percent"] / 100, graph, version, clock });
}
