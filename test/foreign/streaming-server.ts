// The server that foreign clients ask: the streaming example in a process of its own, with some of its generator's data.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ServerProcess } from "../crash/server-process.ts";
import { run } from "./run.ts";

const graph = fileURLToPath(new URL("../../examples/streaming/graph.ts", import.meta.url));
const generator = fileURLToPath(new URL("../../examples/streaming/generate.ts", import.meta.url));

export interface StreamingServer {
  readonly url: string;
  /** Kills it and removes its data. */
  stop(): Promise<void>;
}

/** @param events of playback that it holds */
export async function startStreaming(events: number, flags: readonly string[] = []): Promise<StreamingServer> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-foreign-"));
  const server = new ServerProcess(join(folder, "data"), graph);
  const stop = async (): Promise<void> => {
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await server.start(["--log-level", "error", ...flags]);
    const url = server.url!;
    if (events > 0) await generate(url, events);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function generate(url: string, events: number): Promise<void> {
  const args = ["--conditions=rdg-source", generator, "--url", url, "--events", String(events), "--json"];
  const { code, stdout, output } = await run(process.execPath, args, { timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`The generator ended with ${code}:\n${output}`);
  const { positions } = JSON.parse(stdout) as { positions: readonly string[] };
  const waitFor = positions.filter((position) => position.startsWith("events."));
  const body = JSON.stringify({ from: { type: "account", ids: ["none"] }, waitFor });
  const headers = { "content-type": "application/json" };
  for (;;) {
    const answer = await fetch(`${url}/v1/traverse`, { method: "POST", headers, body });
    if (answer.ok) return;
    if (answer.status !== 504) throw new Error(`The events are not in the graph: ${await answer.text()}`);
  }
}
