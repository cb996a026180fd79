// For running.test.ts: a program that closes everything but a timer that nobody knows of.
import { runUntilStopped } from "../../src/cli/running.ts";

const running = {
  url: "http://127.0.0.1",
  ready: Promise.resolve(),
  failed: new Promise<unknown>(() => undefined),
  reload: async (): Promise<void> => undefined,
  close: async (): Promise<void> => undefined,
};
setInterval(() => undefined, 60_000);
process.exitCode = await runUntilStopped({
  start: async () => running,
  ready: () => console.log("ready"),
  stopping: "closing",
});
