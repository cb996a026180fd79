// Turns of the event loop as a port: long work gives way between its slices, and tests decide when it goes on.

export interface Turns {
  /** Resolves when everything that was waiting for the event loop (I/O, timers, other work) has had its turn. */
  next(): Promise<void>;
}

export const systemTurns: Turns = {
  next: () => new Promise((resolve) => setImmediate(resolve)),
};
