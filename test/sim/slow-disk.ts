// A file system whose calls take their time, so that what is under way overlaps and overtakes: appends to partitions, commits, reads, syncs.
import type { File, FileSystem } from "../../src/log/embedded/file-system.ts";
import type { ProcessTime } from "./virtual-time.ts";

/** Every call of `disk` begins after `delayMs()`, and never once its process is dead. */
export function slowFileSystem(disk: FileSystem, time: ProcessTime, delayMs: () => number): FileSystem {
  const late = async <T>(call: () => Promise<T>): Promise<T> => {
    const ms = delayMs();
    if (ms > 0) await time.sleep(ms);
    return call();
  };
  const slowFile = (file: File): File => ({
    path: file.path,
    write: (buffers, position) => late(() => file.write(buffers, position)),
    read: (target, position) => late(() => file.read(target, position)),
    sync: () => late(() => file.sync()),
    truncate: (length) => late(() => file.truncate(length)),
    size: () => file.size(),
    close: () => file.close(),
  });
  return {
    open: (path, mode) => late(async () => slowFile(await disk.open(path, mode))),
    list: (folder) => disk.list(folder),
    makeFolder: (folder) => disk.makeFolder(folder),
    rename: (from, to) => late(() => disk.rename(from, to)),
    remove: (path) => late(() => disk.remove(path)),
    syncFolder: (folder) => late(() => disk.syncFolder(folder)),
    lock: (folder) => disk.lock(folder),
  };
}
