// Gives large buffers back the moment nobody uses them any more. Left to the garbage collector they bring about collections of the whole heap: it counts them
// as memory that grows, a few megabytes of request bodies at a time, and every such collection is a pause.

/** Smaller ones are not worth the call. */
const bytesMin = 4096;

/** Only for whoever alone has the buffer of `bytes`, all of which they are: afterwards nothing can be read there. */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (byteLength < bytesMin || byteLength !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return;
  buffer.transfer(0);
}
