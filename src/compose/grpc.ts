// Whether and where gRPC is served, as the settings say.
import { RdgError } from "../core/errors.ts";
import type { QueueFill } from "../observe/metrics.ts";
import { createGrpcServer, type GrpcServer, type GrpcServerOptions } from "../serve/grpc/server.ts";
import type { EmbeddedSettings } from "./settings.ts";

/** gRPC beside an HTTP server: its port is only known once that one listens. */
export interface GrpcListener {
  listen(httpPort: number): Promise<{ readonly address: string }>;
  close(): Promise<void>;
  queues(): QueueFill[];
}

/** Undefined where it is off. @throws RdgError invalid, `bad_setting` */
export function grpcBeside(
  options: Omit<GrpcServerOptions, "settings">,
  settings: EmbeddedSettings,
  connectionsMax: number,
): GrpcListener | undefined {
  const wanted = portWanted(settings["grpc.port"]);
  if (wanted === "off") return undefined;
  let server: GrpcServer | undefined;
  return {
    async listen(httpPort) {
      const port = wanted === "next" ? nextPort(httpPort, settings.port) : wanted;
      server = createGrpcServer({
        ...options,
        settings: {
          host: settings.host,
          port,
          plaintext: settings["tls.off"],
          connectionsMax,
          timeoutMsMax: settings["serve.timeout"],
        },
      });
      const { address } = await server.listen();
      return { address };
    },
    close: async () => server?.close(),
    queues: () => (server ? queuesOf(server) : []),
  };
}

/** Beside a port that was taken because it was free, the next one may not be. */
function nextPort(httpPort: number, wantedHttpPort: number): number {
  return wantedHttpPort === 0 ? 0 : httpPort + 1;
}

function portWanted(text: string): "next" | "off" | number {
  if (text === "next" || text === "off") return text;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new RdgError("invalid", "bad_setting", `Setting "grpc.port" is ${JSON.stringify(text)}, not a port.`, {
    place: "grpc.port",
    hint: "Set a port from 0 (a free one) to 65535, next (the one behind HTTP's), or off.",
  });
}

function queuesOf({ bounds }: GrpcServer): QueueFill[] {
  const { connections, connectionsMax, receiving, slowReaders, longCalls } = bounds;
  return [
    { queue: "grpc_connections", unit: "connections", fill: connections(), max: connectionsMax },
    { queue: "grpc_receiving", unit: "bytes", fill: receiving.bytes, max: receiving.bytesMax },
    { queue: "grpc_slow_readers", unit: "readers", fill: slowReaders.running, max: slowReaders.runningMax },
    { queue: "grpc_watchers", unit: "requests", fill: longCalls.running, max: longCalls.runningMax },
  ];
}
