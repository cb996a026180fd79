// Texts joined to pieces of bytes that are worth a write each.

const pieceChars = 64 * 1024;

export function* pieces(texts: Iterable<string>): Generator<Uint8Array> {
  let piece = "";
  for (const text of texts) {
    piece += text;
    if (piece.length < pieceChars) continue;
    yield Buffer.from(piece);
    piece = "";
  }
  if (piece !== "") yield Buffer.from(piece);
}
