import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Arena, arenaPageBytes, pageShift, unitMask } from "./arena.ts";
import { Epoch } from "./pages.ts";

const sizes = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: arenaPageBytes }),
  fc.integer({ min: arenaPageBytes + 1, max: 3 * arenaPageBytes }),
);

test("a block is as large as asked, at most a quarter larger from 128 bytes on, and powers of two fit exactly", () => {
  fc.assert(
    fc.property(sizes, (sizeBytes) => {
      const capacity = Arena.capacityOf(sizeBytes);
      expect(capacity).toBeGreaterThanOrEqual(sizeBytes);
      if (sizeBytes > 128 && sizeBytes <= arenaPageBytes) expect(capacity).toBeLessThanOrEqual(sizeBytes * 1.25 + 8);
    }),
  );
  for (let power = 3; power <= 19; power++) expect(Arena.capacityOf(1 << power)).toBe(1 << power);
});

test("blocks never overlap, are reused when freed, and keep what was written into them", () => {
  const command = fc.record({ sizeBytes: sizes, free: fc.boolean(), pick: fc.nat() });
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const arena = new Arena(new Epoch());
      const blocks: { reference: number; sizeBytes: number; mark: number }[] = [];
      let mark = 0;
      for (const { sizeBytes, free, pick } of commands) {
        if (free && blocks.length > 0) {
          const [block] = blocks.splice(pick % blocks.length, 1);
          arena.free(block!.reference, block!.sizeBytes);
          continue;
        }
        const reference = arena.allocate(sizeBytes);
        expect(reference).not.toBe(0);
        mark = (mark + 1) & 0xff;
        bytesOf(arena, reference, sizeBytes).fill(mark);
        blocks.push({ reference, sizeBytes, mark });
      }
      for (const { reference, sizeBytes, mark } of blocks) {
        expect(bytesOf(arena, reference, sizeBytes).every((byte) => byte === mark)).toBe(true);
      }
      expect(arena.usedBytes).toBe(blocks.reduce((sum, { sizeBytes }) => sum + Arena.capacityOf(sizeBytes), 0));
    }),
    { numRuns: 60 },
  );
});

function bytesOf(arena: Arena, reference: number, sizeBytes: number): Buffer {
  const start = (reference & unitMask) * 8;
  return arena.pages.bytes[reference >>> pageShift]!.subarray(start, start + sizeBytes);
}
