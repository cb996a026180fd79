// How long a killed worker's partitions stand still: the streaming example in processes by role, one worker after the other ended by SIGKILL while events flow.
// Prints one JSON object: seconds from the kill until each partition's later events are published. Twice: on brokers that let groups say how soon a silent
// member is given up, and on brokers as they come, which do not.
// `node --conditions=rdg-source bench/recovery.ts [kills]`
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import { type KafkaSettings, kafkaProgram, usualSessions } from "../scripts/cluster/kafka.ts";
import { freePorts, loopback } from "../scripts/cluster/ports.ts";
import { serveRegistry } from "../scripts/cluster/registry.ts";
import { guard, startProcess, stopProcess } from "../scripts/cluster/server-process.ts";
import { systemClock, systemTimers } from "../src/core/clock.ts";
import { openKafkaLog } from "../src/log/kafka/log.ts";
import type { Log } from "../src/log/port.ts";
import { bodiesOf } from "./bodies.ts";
import { firstLine } from "./streaming-server.ts";

const kills = Number(process.argv[2] ?? "5");
const partitions = 8;
const topic = "events.playback";
const everyMs = 100;
const eventsEach = 50;
/** After this long a worker that was started has taken its share. */
const settleMs = 6_000;
const graph = fileURLToPath(new URL("../examples/streaming/graph.ts", import.meta.url));
const cli = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const sleep = (ms: number): Promise<void> => systemTimers.sleep(ms);

async function measure(settings: KafkaSettings): Promise<object> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "rdg-bench-"));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  opened.defer(guard(folder));
  const [kafka, controller] = (await freePorts(2)) as [number, number];
  const program = await kafkaProgram(folder, { kafka, controller }, () => undefined, undefined, settings);
  await startProcess(program);
  opened.defer(async () => void (await stopProcess(program)));
  const registry = await serveRegistry(join(folder, "registry"), 0);
  opened.defer(() => registry.close());
  const bootstrap = `${loopback}:${kafka}`;
  const config = join(folder, "rdg.config.ts");
  const written = { topics: { [topic]: { partitions } }, kafka: { bootstrap }, registry: { url: registry.url } };
  await writeFile(config, `export default ${JSON.stringify(written)};`);
  const rdg = (...args: readonly string[]): ChildProcess => {
    const all = ["--conditions=rdg-source", cli, ...args, graph, "--config", config];
    const child = spawn(process.execPath, all, { stdio: ["ignore", "pipe", "inherit"] });
    opened.defer(() => end(child));
    return child;
  };
  await once(rdg("deploy"), "exit");
  let started = 0;
  const start = async (role: string): Promise<{ readonly child: ChildProcess; readonly url: string }> => {
    const data = join(folder, `${role}-${started++}`);
    const own = ["--role", role, "--data", data, "--port", "0", "--grpc-port", "off", "--log-level", "error"];
    const child = rdg("start", ...own, "--json");
    const { url } = JSON.parse(await firstLine(child)) as { url: string };
    return { child, url };
  };
  const gateway = await start("gateway");
  const workers = [await start("jobs"), await start("jobs")];
  const connection = { bootstrap: [bootstrap] };
  const log = await openKafkaLog({ connection, clock: systemClock, timers: systemTimers });
  opened.defer(() => log.close());
  const flow = new Flow(log);
  opened.defer(() => flow.stop());
  const producing = produce(`${gateway.url}/v1/events/playback`, flow.stopped);
  opened.defer(() => producing);
  const seconds: number[] = [];
  for (let i = 0; i < kills; i++) {
    await sleep(settleMs);
    const { child } = workers.shift()!;
    const bounds = await log.bounds(topic);
    const killedMs = performance.now();
    child.kill("SIGKILL");
    await flow.reached(bounds.map(({ next }) => next));
    console.error(`killed: ${((performance.now() - killedMs) / 1000).toFixed(2)} s`);
    seconds.push(Number(((performance.now() - killedMs) / 1000).toFixed(2)));
    workers.push(await start("jobs"));
  }
  const sorted = seconds.toSorted((a, b) => a - b);
  return { seconds, median: sorted[sorted.length >> 1], max: sorted.at(-1) };
}

/** How far the jobs' transactions say that the topic is worked off. */
class Flow {
  readonly #consumed = Array.from({ length: partitions }, () => -1);
  readonly #stop = new AbortController();

  constructor(log: Log) {
    void this.#follow(log);
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  stop(): void {
    this.#stop.abort();
  }

  async reached(offsets: readonly number[]): Promise<void> {
    while (!offsets.every((offset, partition) => this.#consumed[partition]! >= offset)) await sleep(10);
  }

  async #follow(log: Log): Promise<void> {
    for await (const { inputs } of log.readUpdates({ signal: this.stopped })) {
      for (const { topic: of, partition, offset } of inputs) if (of === topic) this.#consumed[partition] = offset;
    }
  }
}

async function produce(url: string, signal: AbortSignal): Promise<void> {
  const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000 });
  while (!signal.aborted) {
    const [body] = bodiesOf(generator, eventsEach, eventsEach);
    const headers = { "content-type": "application/x-ndjson" };
    const answer = await fetch(url, { method: "POST", headers, body: Buffer.from(body!) });
    if (!answer.ok) throw new Error(`The gateway answered ${answer.status}: ${await answer.text()}`);
    await sleep(everyMs);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

const result = { kills, sessionsOfGroups: await measure({}), usualBrokers: await measure(usualSessions) };
console.log(JSON.stringify(result, null, 2));
