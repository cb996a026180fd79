// What a later release wrote is refused and left as it is, and the error names both versions: the one that was found and the one that is read.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { describeError, type RdgError } from "../../src/core/errors.ts";
import { readExport } from "../../src/export/read-export.ts";
import { decodeQuarantineRecord } from "../../src/model/quarantine.ts";
import { decodeUpdateBatch } from "../../src/model/update/codec.ts";
import { readKeyFile } from "../../src/serve/auth/api-key.ts";
import { goldenFolders, unpackFolder, type Unpacked } from "./folder.ts";
import { openProduct } from "./product.ts";
import { exported, openedMs, type Recorded } from "./story.ts";

const golden = join(goldenFolders, "0.1.0");

let folder: Unpacked | undefined;
afterEach(() => folder?.remove());

type Change = (bytes: Buffer) => Buffer;
const text =
  (from: RegExp, to: string): Change =>
  (bytes) =>
    Buffer.from(bytes.toString("latin1").replace(from, to), "latin1");
const segment: Change = (bytes) => {
  bytes.writeUInt16LE(2, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
};
const registry: Change = (bytes) => {
  bytes.writeUInt32BE(2, 8);
  return bytes;
};
/** Its checksum is right. */
const model: Change = (bytes) => {
  const file = JSON.parse(bytes.toString()) as { model: { format: number }; checksum: string };
  file.model.format = 2;
  return Buffer.from(
    JSON.stringify({ ...file, checksum: crc32(JSON.stringify(file.model)).toString(16).padStart(8, "0") }),
  );
};

test.each<readonly [what: string, file: RegExp, change: Change, found: string, read: string]>([
  ["a file of events", /^log\/records\/events\.view\/0\/.*segment$/, segment, "format 2", "format 1"],
  ["a file of the journal", /^log\/journal\/.*segment$/, segment, "format 2", "format 1"],
  ["the log's metadata", /^log\/metadata$/, text(/metadata 1/, "metadata 2"), "format 2", "format 1"],
  ["a checkpoint", /^store\/checkpoint.*json$/, text(/checkpoint 1/, "checkpoint 2"), "format 2", "format 1"],
  ["the definition's file", /^definition\.json$/, text(/"format":2/, '"format":3'), "format 3.1", "format 2.1"],
  ["the definition", /^definition\.json$/, model, "format 2.2", "format 2.1"],
  ["the schema registry", /^schemas\/schemas\.journal$/, registry, "format 2", "format 1"],
])("%s", async (_, file, change, found, read) => {
  folder = await unpackFolder(join(golden, "stopped"));
  const paths = (await readdir(folder.path, { recursive: true })).filter((path) => file.test(path));
  const files = paths.map((path) => join(folder!.path, path));
  expect(files).not.toEqual([]);
  const before = new Map<string, Buffer>();
  for (const path of files) {
    const content = await readFile(path);
    before.set(path, content);
    const changed = change(Buffer.from(content));
    expect(changed.equals(content)).toBe(false);
    await writeFile(path, changed);
  }
  const { secret } = await recorded();
  const error = await openProduct({ data: folder.path, nowMs: openedMs }).then(
    async (product) => {
      await product.close();
      return undefined;
    },
    (failure: RdgError) => failure,
  );
  expect(error?.kind).toMatch(/^(invalid|corrupt)$/);
  expect(describeError(error)).toContain(found);
  expect(describeError(error)).toContain(read);
  expect(error?.hint ?? "").not.toBe("");
  // Nothing else was harmed: the release that can read it finds everything.
  for (const [path, content] of before) await writeFile(path, content);
  const product = await openProduct({ data: folder.path, nowMs: openedMs, secret });
  try {
    expect(await exported(product)).toBe(await readFile(join(golden, "export.ndjson"), "utf8"));
  } finally {
    await product.close();
  }
});

async function recorded(): Promise<Recorded & { readonly secret: string }> {
  return JSON.parse(await readFile(join(golden, "recorded.json"), "utf8")) as Recorded & { readonly secret: string };
}

test("a key of the API: it opens nothing, and others still do", async () => {
  const [name] = await readdir(join(golden, "stopped/keys/api"));
  const file = await readFile(join(golden, "stopped/keys/api", name!), "utf8");
  expect(() => readKeyFile(file.replace('"version": 1', '"version": 2'), name!)).toThrow("version is 2, not 1");
});

test("a packed update batch", async () => {
  const bytes = await readFile(new URL("../golden/update-batch/every-column.v1.bin", import.meta.url));
  bytes.writeUInt16LE(2, 4);
  expect(() => decodeUpdateBatch(bytes)).toThrow("has version 2; this RDG reads version 1");
});

test("a quarantined record", () => {
  expect(() => decodeQuarantineRecord(Uint8Array.of(2, 0))).toThrow(
    expect.objectContaining({
      message: expect.stringContaining("format 2"),
      hint: expect.stringContaining("format 1"),
    }),
  );
});

test("an export", async () => {
  const file = (await readFile(join(golden, "export.ndjson"), "utf8")).replace('"version":1', '"version":2');
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(file);
  }
  const reading = (async () => {
    for await (const _ of readExport(pieces()));
  })();
  await expect(reading).rejects.toThrow("has version 2 of the format; this version of rdg reads version 1");
});

test("a continuation token", async () => {
  folder = await unpackFolder(join(golden, "stopped"));
  const { secret, token } = await recorded();
  const product = await openProduct({ data: folder.path, nowMs: openedMs, secret });
  try {
    const answer = await product.ask("/v1/traverse", { continue: token.replace(/^2/, "3") }, 400);
    expect(answer).toContain("The token has version 3; this version of RDG reads version 2.");
  } finally {
    await product.close();
  }
});
