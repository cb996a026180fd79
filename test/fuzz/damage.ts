// Damage done to bytes: what disks, cut transfers and hostile senders do. Plain data, so that a failing property prints it.
import * as fc from "fast-check";

/** Places are shares of the length, from 0 to below 1. */
type Change =
  | { readonly flip: number; readonly bit: number }
  | { readonly overwrite: number; readonly by: Uint8Array }
  | { readonly zero: number; readonly length: number }
  | { readonly number: number; readonly value: number; readonly little: boolean }
  | { readonly cut: number }
  | { readonly remove: number; readonly length: number }
  | { readonly insert: number; readonly noise: Uint8Array }
  /** A piece of it where another belongs: whole structures that are valid by themselves. */
  | { readonly copy: number; readonly to: number; readonly length: number }
  | { readonly repeat: number; readonly length: number };

/** One to four changes, one after the other. */
export type Damage = readonly Change[];

/** Numbers that lengths, counts and offsets are tried with. */
const telling = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const noise = fc.uint8Array({ minLength: 1, maxLength: 40 });
const length = fc.integer({ min: 1, max: 300 });

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ flip: place, bit: fc.nat(7) }),
  fc.record({ overwrite: place, by: noise }),
  fc.record({ zero: place, length }),
  fc.record({ number: place, value: fc.constantFrom(...telling), little: fc.boolean() }),
  fc.record({ cut: place }),
  fc.record({ remove: place, length }),
  fc.record({ insert: place, noise }),
  fc.record({ copy: place, to: place, length }),
  fc.record({ repeat: place, length }),
);

export const damage: fc.Arbitrary<Damage> = fc.array(change, { minLength: 1, maxLength: 4 });

export function damaged(bytes: Uint8Array, changes: Damage): Buffer {
  return changes.reduce(changed, Buffer.from(bytes));
}

function changed(bytes: Buffer, one: Change): Buffer {
  const at = (share: number): number => Math.floor(share * bytes.length);
  const over = (start: number, piece: Uint8Array): Buffer => {
    const copy = Buffer.from(bytes);
    copy.set(piece.subarray(0, copy.length - start), start);
    return copy;
  };
  if ("flip" in one)
    return bytes.length === 0 ? bytes : over(at(one.flip), Buffer.of(bytes[at(one.flip)]! ^ (1 << one.bit)));
  if ("overwrite" in one) return over(at(one.overwrite), one.by);
  if ("zero" in one) return over(at(one.zero), Buffer.alloc(one.length));
  if ("number" in one) {
    const number = Buffer.alloc(4);
    if (one.little) number.writeUInt32LE(one.value);
    else number.writeUInt32BE(one.value);
    return over(at(one.number), number);
  }
  if ("cut" in one) return bytes.subarray(0, at(one.cut));
  if ("remove" in one)
    return Buffer.concat([bytes.subarray(0, at(one.remove)), bytes.subarray(at(one.remove) + one.length)]);
  if ("insert" in one)
    return Buffer.concat([bytes.subarray(0, at(one.insert)), one.noise, bytes.subarray(at(one.insert))]);
  if ("copy" in one) return over(at(one.to), bytes.subarray(at(one.copy), at(one.copy) + one.length));
  return Buffer.concat([bytes, bytes.subarray(at(one.repeat), at(one.repeat) + one.length)]);
}
