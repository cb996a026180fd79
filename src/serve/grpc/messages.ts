// Reads messages that were received: strictly, for they are untrusted.
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { RdgError } from "../../core/errors.ts";
import type { MessageFns } from "../../model/rpc/generated/rdg/v1/element.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const decodeText = (bytes: Uint8Array): string => {
  // Short ones mostly are ASCII, for which a loop is faster than a call out of JavaScript.
  if (bytes.length > 32) return strict.decode(bytes);
  let text = "";
  for (const byte of bytes) {
    if (byte > 127) return strict.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
};

/** @throws RdgError invalid, `bad_message` */
export function readMessage<T>(message: Pick<MessageFns<T>, "decode">, bytes: Uint8Array): T {
  try {
    return message.decode(new BinaryReader(bytes, decodeText));
  } catch (error) {
    throw new RdgError("invalid", "bad_message", "The message cannot be read.", {
      hint: "See proto/rdg/v1/: texts are UTF-8, and messages are nested at most 100 deep.",
      cause: error,
    });
  }
}
