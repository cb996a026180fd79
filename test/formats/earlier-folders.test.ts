// Folders that earlier releases wrote: today's release opens them, answers what they answered, takes what comes next, and ends where a folder of its own would.
import { readdir, readFile } from "node:fs/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { goldenFolders, unpackFolder } from "./folder.ts";
import { openProduct, type Product } from "./product.ts";
import { exported, openedMs, record, type Recorded, views, writeStory, writtenMs } from "./story.ts";

const releases = await readdir(goldenFolders);

/** What comes after the story, to any folder. */
async function goOn(product: Product): Promise<void> {
  await product.send("/v1/inputs/catalogue", [{ pageId: "page-9", title: "Page 9, second edition" }]);
  await product.send("/v1/events/view", views(200, 260), "another request");
  await product.settled();
}

/** Of a folder that only today's release has written. */
let expected = "";
beforeAll(async () => {
  const data = await mkdtemp(join(tmpdir(), "rdg-formats-own-"));
  try {
    const own = await openProduct({ data, nowMs: writtenMs });
    await writeStory(own);
    await own.close();
    const later = await openProduct({ data, nowMs: openedMs });
    await goOn(later);
    expected = await exported(later);
    await later.close();
  } finally {
    await rm(data, { recursive: true });
  }
});

test("there is a folder of every release that had a format of its own", () => {
  expect(releases).toContain("0.1.0");
});

describe.each(releases.flatMap((release) => ["stopped", "killed"].map((how) => ({ release, how }))))(
  "the folder of $release, $how",
  ({ release, how }) => {
    let recorded: Recorded & { readonly secret: string };
    let data: Awaited<ReturnType<typeof unpackFolder>>;
    beforeAll(async () => {
      const golden = join(goldenFolders, release);
      recorded = JSON.parse(await readFile(join(golden, "recorded.json"), "utf8")) as typeof recorded;
      data = await unpackFolder(join(golden, how));
    });
    afterAll(() => data.remove());

    /** @param run ends before the folder is opened again */
    async function opened(run: (product: Product) => Promise<void>): Promise<void> {
      const product = await openProduct({ data: data.path, nowMs: openedMs, secret: recorded.secret });
      try {
        await run(product);
      } finally {
        await product.close();
      }
    }

    test("answers what it answered then, tokens of then are continued, and it exports the same bytes", () =>
      opened(async (product) => {
        const { secret: _, ...then } = recorded;
        // A later release may tell more.
        expect(await record(product, then.token)).toMatchObject(then);
        expect(await exported(product)).toBe(await readFile(join(goldenFolders, release, "export.ndjson"), "utf8"));
      }));

    test("remembers what it took: nothing is counted twice", () =>
      opened(async (product) => {
        const before = await exported(product);
        const repeated = await product.send("/v1/events/view", views(0, 60), "first request");
        expect(repeated).toMatchObject({ duplicate: true });
        // Events of the same ids, in a request that is not known.
        await product.send("/v1/events/view", views(60, 80));
        await product.settled();
        expect(await exported(product)).toBe(before);
      }));

    test("takes what comes next, and ends where a folder of its own release does; also after another start", async () => {
      await opened(async (product) => {
        await goOn(product);
        expect(await exported(product)).toBe(expected);
        const proof = JSON.parse(await product.ask("/v1/store/verify", {})) as { readonly differences: unknown };
        expect(proof.differences).toEqual([]);
      });
      await opened(async (product) => {
        expect(await exported(product)).toBe(expected);
        await product.send("/v1/events/view", views(200, 260), "another request");
        await product.settled();
        expect(await exported(product)).toBe(expected);
      });
    });
  },
);
