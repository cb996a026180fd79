// A side input in memory: for each key the versions of its row that an event still to come may ask for. Fed from the compacted topic of the input.
import { ByteDictionary } from "../../core/byte-dictionary.ts";
import type { RowReader, SideLookup, SideRow } from "../plan/side-row.ts";

interface Version {
  readonly recordMs: number;
  /** undefined: the key was removed. */
  readonly row: SideRow | undefined;
  earlier: Version | undefined;
}

export interface SideInputTable extends SideLookup {
  /**
   * Takes the row `bytes[start, end)` as the key's version from `recordMs` on; a time before that of the key's version until now counts as the same, since
   * what comes later replaces it in the topic. False, and nothing changes, when the row is malformed.
   */
  put(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    recordMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean;
  remove(key: Uint8Array, keyStart: number, keyEnd: number, recordMs: number): void;
  readonly rowCount: number;
  readonly sizeBytes: number;
}

/**
 * `oldestNeededMs` tells the time of receipt before which no event will ask any more; versions that were replaced before it are dropped when their
 * key gets its next version, so that memory follows the rows, not their history.
 */
export function createSideInputTable(reader: RowReader, oldestNeededMs: () => number): SideInputTable {
  const keys = new ByteDictionary();
  const latest: (Version | undefined)[] = [];
  let rowCount = 0;
  let rowBytes = 0;

  const add = (key: Uint8Array, keyStart: number, keyEnd: number, recordMs: number, row: SideRow | undefined): void => {
    const index = keys.intern(key, keyStart, keyEnd);
    const before = latest[index];
    const version: Version = { recordMs: Math.max(recordMs, before?.recordMs ?? -Infinity), row, earlier: before };
    latest[index] = version;
    rowCount += (version.row === undefined ? 0 : 1) - (before?.row === undefined ? 0 : 1);
    rowBytes += sizeOf(version) - dropReplaced(version, oldestNeededMs());
  };

  return {
    find(bytes, start, end, receivedMs) {
      const index = keys.find(bytes, start, end);
      if (index < 0) return undefined;
      let version = latest[index];
      while (version !== undefined && version.recordMs > receivedMs) version = version.earlier;
      return version?.row;
    },
    put(key, keyStart, keyEnd, recordMs, bytes, start, end) {
      const offsets = new Int32Array(reader.offsetCount);
      const own = bytes.slice(start, end);
      if (!reader.read(own, 0, own.length, offsets)) return false;
      add(key, keyStart, keyEnd, recordMs, { bytes: own, offsets });
      return true;
    },
    remove(key, keyStart, keyEnd, recordMs) {
      add(key, keyStart, keyEnd, recordMs, undefined);
    },
    get rowCount() {
      return rowCount;
    },
    get sizeBytes() {
      return keys.sizeBytes + rowBytes;
    },
  };
}

const versionBytes = 120;
const sizeOf = (version: Version): number => versionBytes + (version.row?.bytes.length ?? 0);

/** Drops the versions behind the one that was valid at `neededMs`; returns their size. */
function dropReplaced(newest: Version, neededMs: number): number {
  let version: Version | undefined = newest;
  while (version !== undefined && version.recordMs > neededMs) version = version.earlier;
  let dropped = 0;
  for (let behind = version?.earlier; behind !== undefined; behind = behind.earlier) dropped += sizeOf(behind);
  if (version !== undefined) version.earlier = undefined;
  return dropped;
}
