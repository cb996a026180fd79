import { randomUUID } from "node:crypto";
// The generator as a command: events of the streaming example to stdout, or straight to a running RDG.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Progress } from "../progress.ts";
import { InFlight, RdgConnection } from "../send.ts";
import { catalogueRows, generatorDefaults, PlaybackGenerator } from "./generator.ts";
import { lineBytesMax } from "./line-writer.ts";

const help = `Usage: node --conditions=rdg-source examples/streaming/generate.ts [options]

Writes events of the streaming example as JSON lines to stdout, or sends them to a running RDG.

  --url URL         send everything (catalogue, playback, account_closed) to the RDG there
  --event NAME      what to write to stdout: playback (default), account_closed or catalogue
  --events N        number of playback events (default 1000000; without end with --rate)
  --rate N          events per second (default: as fast as possible)
  --seed N          the same seed gives the same events (default ${generatorDefaults.seed})
  --accounts N      number of accounts (default ${generatorDefaults.accounts})
  --titles N        number of titles (default ${generatorDefaults.titles})
  --start TIME      event time of the first event, ISO 8601 (default: so that the last one happens now)
  --batch N         events per request (default 500)
  --in-flight N     requests at the same time (default 8)
  --json            print the summary of --url as JSON
  --help

Example:
  node --conditions=rdg-source examples/streaming/generate.ts --url http://127.0.0.1:7400 --rate 1000`;

/** Somebody's mistake on the command line: printed without a stack. */
class UsageError extends Error {}

interface Settings {
  readonly url: string | undefined;
  readonly event: string;
  readonly events: number;
  readonly rate: number | undefined;
  readonly seed: number;
  readonly accounts: number;
  readonly titles: number;
  readonly startMs: number;
  readonly intervalMs: number;
  readonly batch: number;
  readonly inFlight: number;
  readonly json: boolean;
}

const sendEveryMs = 20;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const options = {
  url: text,
  event: text,
  events: text,
  rate: text,
  seed: text,
  accounts: text,
  titles: text,
  start: text,
  batch: text,
  "in-flight": text,
  json: flag,
  help: flag,
};

function readSettings(): Settings | undefined {
  const { values } = parseArgs({ options });
  if (values.help === true) return undefined;
  const number = (
    name: "events" | "seed" | "accounts" | "titles" | "batch" | "in-flight",
    fallback: number,
    max: number,
  ) => readNumber(name, values[name], fallback, name === "seed" ? 0 : 1, max);
  const rate = values.rate === undefined ? undefined : readNumber("rate", values.rate, 0, 1, 10_000_000);
  const events = number("events", rate === undefined ? 1_000_000 : Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const intervalMs = rate === undefined ? generatorDefaults.intervalMs : 1000 / rate;
  const event = values.event ?? "playback";
  if (!["playback", "account_closed", "catalogue"].includes(event)) {
    throw new UsageError(`--event ${event}: there are playback, account_closed and catalogue.`);
  }
  return {
    url: values.url,
    event,
    events,
    rate,
    seed: number("seed", generatorDefaults.seed, Number.MAX_SAFE_INTEGER),
    accounts: number("accounts", generatorDefaults.accounts, 99_999_999),
    titles: number("titles", generatorDefaults.titles, 999_999),
    startMs:
      values.start === undefined ? Date.now() - (rate === undefined ? events * intervalMs : 0) : readTime(values.start),
    intervalMs,
    batch: number("batch", 500, 10_000),
    inFlight: number("in-flight", 8, 256),
    json: values.json === true,
  };
}

function readNumber(name: string, text: string | undefined, fallback: number, min: number, max: number): number {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (text !== "" && Number.isInteger(number) && number >= min && number <= max) return number;
  throw new UsageError(`--${name} ${text} is not a whole number from ${min} to ${max}.`);
}

function readTime(text: string): number {
  const timeMs = Date.parse(text);
  if (Number.isFinite(timeMs)) return timeMs;
  throw new UsageError(`--start ${text} is not a time such as 2026-01-01T00:00:00Z.`);
}

const lines = (records: Iterable<object>): string => {
  let text = "";
  for (const record of records) text += `${JSON.stringify(record)}\n`;
  return text;
};

/** Says how many events to make next: all that a batch holds, or as many as are due at the rate. 0: none for now; undefined: the end. */
function pace({ events, rate, batch }: Settings): () => number | undefined {
  const startMs = performance.now();
  let made = 0;
  return () => {
    if (made >= events) return undefined;
    const due =
      rate === undefined ? events : Math.min(events, Math.floor(((performance.now() - startMs) / 1000) * rate));
    const next = Math.min(batch, due - made);
    made += next;
    return next;
  };
}

async function toStdout(settings: Settings): Promise<void> {
  const write = async (bytes: string | Uint8Array): Promise<void> => {
    if (bytes.length > 0 && !process.stdout.write(bytes)) await once(process.stdout, "drain");
  };
  if (settings.event === "catalogue") return write(lines(catalogueRows(settings.titles)));
  const generator = new PlaybackGenerator(settings);
  const next = pace(settings);
  for (let count = next(); count !== undefined; count = next()) {
    if (count === 0) await sleep(sendEveryMs);
    // A new buffer each time: stdout keeps it until it is written.
    const buffer = Buffer.allocUnsafe(count * lineBytesMax);
    const end = generator.write(buffer, 0, count);
    const closings = lines(generator.takeClosings());
    await write(settings.event === "account_closed" ? closings : buffer.subarray(0, end));
  }
}

async function toRdg(settings: Settings, url: string): Promise<void> {
  const rdg = new RdgConnection(url);
  const run = randomUUID();
  const inFlight = new InFlight(settings.inFlight);
  const buffers = Array.from({ length: settings.inFlight + 1 }, () => Buffer.alloc(settings.batch * lineBytesMax));
  const positions = new Map<string, string>();
  const sent = { playback: 0, account_closed: 0, catalogue: 0 };
  const progress = new Progress("events", settings.events === Number.MAX_SAFE_INTEGER ? undefined : settings.events);
  let requests = 0;
  const send = async (target: keyof typeof sent, body: Uint8Array): Promise<void> => {
    await inFlight.room();
    const path = target === "catalogue" ? "inputs/catalogue" : `events/${target}`;
    inFlight.add(rdg.produce(path, body, `${run}-${requests++}`), (answer) => {
      sent[target] += answer.accepted;
      for (const position of answer.positions) positions.set(position.slice(0, position.indexOf("@")), position);
      if (target === "playback") progress.add(answer.accepted);
    });
  };
  const startMs = performance.now();
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  try {
    // The catalogue first: an event looks its title up as the catalogue is when the event is received.
    const rows = [...catalogueRows(settings.titles)];
    for (let i = 0; i < rows.length; i += 1000) await send("catalogue", Buffer.from(lines(rows.slice(i, i + 1000))));
    await inFlight.drain();
    const generator = new PlaybackGenerator(settings);
    const next = pace(settings);
    for (let count = next(); count !== undefined && !stop.signal.aborted; count = next()) {
      if (count === 0) await sleep(sendEveryMs);
      else {
        await inFlight.room();
        const buffer = buffers[requests % buffers.length]!;
        await send("playback", buffer.subarray(0, generator.write(buffer, 0, count)));
      }
      const closings = generator.takeClosings();
      if (closings.length > 0) await send("account_closed", Buffer.from(lines(closings)));
    }
    await inFlight.drain();
  } finally {
    progress.stop();
    rdg.close();
  }
  const seconds = (performance.now() - startMs) / 1000;
  const summary = { ...sent, seconds: Math.round(seconds * 1000) / 1000, positions: [...positions.values()] };
  if (settings.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else {
    const perSecond = Math.round(sent.playback / seconds).toLocaleString("en");
    process.stdout.write(
      `${sent.playback} playback (${perSecond}/s), ${sent.account_closed} account_closed, ${sent.catalogue} catalogue rows accepted\n`,
    );
  }
}

// Whoever reads our output may stop when it has enough, as head does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
try {
  const settings = readSettings();
  if (settings === undefined) process.stdout.write(`${help}\n`);
  else await (settings.url === undefined ? toStdout(settings) : toRdg(settings, settings.url));
} catch (error) {
  const isUsage =
    error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true;
  process.stderr.write(`generate: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = isUsage ? 2 : 1;
}
