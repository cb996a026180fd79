// One process of a cluster: the parts that its roles need, over the cluster's log and registry, behind one HTTP and one gRPC server.
import { Registry } from "prom-client";
import type { RunningRdg } from "../../compose.ts";
import { systemClock, systemTimers } from "../../core/clock.ts";
import type { Graph } from "../../index.ts";
import { openServerAccess } from "../access.ts";
import { createLogger } from "../logger.ts";
import { openParts, type ProcessOptions, type ProcessParts } from "./process-parts.ts";
import { openProcessServer } from "./process-server.ts";
import type { ClusterSettings } from "./settings.ts";

/** Runs the roles that the settings name in this process. @throws as `openClusterProcess` */
export async function startProcess(graph: Graph, settings: ClusterSettings): Promise<RunningRdg> {
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<unknown>((resolve) => {
    fail = resolve;
  });
  const ports = { clock: systemClock, timers: systemTimers, logger: createLogger(settings["log.level"]) };
  return { ...(await openClusterProcess({ graph, settings, ...ports, onFailure: fail })), failed };
}

interface ClusterProcess {
  readonly url: string;
  readonly grpc?: string;
  /** Resolves when the process does what its roles say; `/readyz` says so then. */
  readonly ready: Promise<void>;
  /** Reads keys and certificates anew, now. */
  reload(): Promise<void>;
  /** Says that it goes, answers what was asked, publishes what is open, hands over its jobs, writes a checkpoint. */
  close(): Promise<void>;
}

/**
 * Parts are closed in the reverse of the order in which they were opened: the server first, the log last.
 * @throws RdgError conflict, `not_deployed`, `log_locked`, `port_taken`; invalid, `bad_setting`; unavailable, `kafka_unavailable`
 */
async function openClusterProcess(options: ProcessOptions): Promise<ClusterProcess> {
  const opened = new AsyncDisposableStack();
  try {
    const parts = await openParts(options, opened);
    const { server, say, reload } = await openServer(parts, options, opened);
    const addresses = await server.listen();
    const ready = Promise.all([parts.served?.start(), parts.jobs?.start(), parts.writer?.start()]).then(() =>
      say("serving"),
    );
    ready.catch(options.onFailure);
    let closing: Promise<void> | undefined;
    return {
      ...addresses,
      ready,
      reload,
      close: () => (closing ??= close()),
    };
    async function close(): Promise<void> {
      say("closing");
      await options.timers.sleep(options.settings["stop.notice"]);
      await opened.disposeAsync();
    }
  } catch (error) {
    await opened.disposeAsync().catch(() => undefined);
    throw error;
  }
}

async function openServer(parts: ProcessParts, options: ProcessOptions, opened: AsyncDisposableStack) {
  const metrics = new Registry();
  const access = await openServerAccess({ ...options, model: parts.graph.model, metrics });
  opened.defer(() => access.close());
  const { server, say, close } = await openProcessServer({ ...options, parts, access, metrics });
  opened.defer(close);
  return { server, say, reload: () => access.reload() };
}
