// Answers in parts, read with the client's patience: opened again while nothing has come, then each part within the call's time.
import { type CallBounds, type CallPorts, call, timedOut } from "./calls.ts";
import type { AnswerPart, Transport } from "./transport.ts";

export async function* partsOf(
  transport: Transport,
  request: object,
  bounds: CallBounds,
  ports: CallPorts,
): AsyncGenerator<AnswerPart> {
  const stopped = new AbortController();
  const open = async (signal: AbortSignal): Promise<Opened> => {
    const parts = transport.parts(request, AbortSignal.any([signal, stopped.signal]))[Symbol.asyncIterator]();
    return { parts, first: await parts.next() };
  };
  try {
    const { parts, first } = await call(open, bounds, ports);
    for (let next = first; next.done !== true;) {
      yield next.value;
      const cancel = ports.timers.after(bounds.timeoutMs, () => stopped.abort(timedOut(bounds.timeoutMs, undefined)));
      next = await parts.next().finally(cancel);
    }
  } finally {
    // Also when the reader has enough.
    stopped.abort();
  }
}

interface Opened {
  readonly parts: AsyncIterator<AnswerPart>;
  readonly first: IteratorResult<AnswerPart>;
}
