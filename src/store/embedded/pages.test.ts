// Pages while a checkpoint reads them: what it captured stays as it was until it is released, whatever becomes of the page.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Epoch, PageList } from "./pages.ts";
import { SpareBuffers } from "./spare-buffers.ts";

const sizes = [8, 4096, 16_384, 65_536];

const command = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), page: fc.nat(), value: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant("resize" as const), page: fc.nat(), size: fc.constantFrom(...sizes) }),
  fc.record({ kind: fc.constant("renew" as const), page: fc.nat(), size: fc.constantFrom(...sizes) }),
  fc.record({ kind: fc.constant("add" as const), size: fc.constantFrom(...sizes) }),
  fc.record({ kind: fc.constant("capture" as const) }),
  fc.record({ kind: fc.constant("release" as const), count: fc.integer({ min: 1, max: 4 }) }),
);

test("a checkpoint reads what it captured, everybody else what was written last, and nothing is copied for ever", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      const epoch = new Epoch();
      const pages = new PageList(epoch);
      const written: number[][] = [];
      let captured: { readonly page: number; readonly buffer: ArrayBuffer; readonly content: number[] }[] = [];
      const release = (count: number): void => {
        for (const { page, buffer, content } of captured.splice(0, count)) {
          expect([...new Uint8Array(buffer, 0, 8)]).toEqual(content);
          pages.release(page, buffer);
        }
      };
      for (const each of commands) {
        const page = "page" in each && pages.length > 0 ? each.page % pages.length : -1;
        if (each.kind === "add") {
          written.push(Array<number>(8).fill(0));
          pages.add(each.size);
        } else if (each.kind === "capture" && captured.length === 0) {
          captured = pages.capture().map((buffer, i) => ({ page: i, buffer, content: [...written[i]!] }));
          epoch.begin();
        } else if (each.kind === "release") release(each.count);
        else if (page >= 0 && each.kind === "write") {
          pages.touch(page);
          pages.bytes[page]![each.value & 7] = each.value;
          written[page]![each.value & 7] = each.value;
        } else if (page >= 0 && each.kind === "resize") pages.resize(page, each.size);
        else if (page >= 0 && each.kind === "renew") {
          pages.renew(page, each.size, (old) => {
            pages.words[page]!.set(old.subarray(0, 2));
          });
        }
      }
      for (const [page, content] of written.entries()) expect([...pages.bytes[page]!.subarray(0, 8)]).toEqual(content);
      expect(pages.sizeBytes).toBe(pages.words.reduce((sum, { byteLength }) => sum + byteLength, 0));
      release(captured.length);
      expect(epoch.copiedBytes).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test("no more is spare than may be, however many sizes there are", () => {
  const spare = new SpareBuffers();
  for (let i = 1; i <= 100; i++) spare.give(new ArrayBuffer(10_000 * i));
  expect(spare.sizeBytes).toBeLessThanOrEqual(8e6);
  expect(spare.take(10_000)?.byteLength).toBe(10_000);
  expect(spare.take(1_000_000)).toBeUndefined();
});
