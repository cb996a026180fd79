// What a server wants of its process that can only be said when a process starts, so the process starts anew in place: same id, same files, a few hundredths of a
// second.
//
// Huge pages: the graph is read at random, and with pages of 4 KB every second access waits for the page table, too. The C library reads the wish when it starts.
//
// A small young generation: what a request leaves behind is gone soon, and 16 MB of it per thread, three times over, buy nothing but resident memory.
//
// Few helpers of the engine: of its own accord it has four threads, and while it marks the heap they take four shares of a core that the thread that answers gets
// one of. Where cores are few, requests waited 70 ms for that (decision 127).
//
// A wide limit for the old one: the engine counts the graph's growth and the bodies of requests as if the heap grew, and would collect the whole of it, which
// holds nothing but code and a few tables, several times a second. That one can be said while the process runs.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";

const variable = "GLIBC_TUNABLES";
const tunable = "glibc.malloc.hugetlb";
const kernelSwitch = "/sys/kernel/mm/transparent_hugepage/enabled";
const youngGeneration = "--max-semi-space-size";
const youngGenerationMegabytes = 2;
const helperThreads = "--v8-pool-size";
/** Of its own accord. */
const helperThreadsUsual = 4;
const heapGrowing = "--heap-growing-percent";
const heapGrowingPercent = 100;

/**
 * Does not return where it starts the process anew. It does not where all is as wished, where a parent talks with this process (the channel would be lost), and where
 * the system cannot. What the user has said by Node's own options stands.
 */
export function tuneProcess(wants: { readonly hugePages: boolean }): void {
  const said = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].join(" ");
  if (!said.includes(heapGrowing)) setFlagsFromString(`${heapGrowing}=${heapGrowingPercent}`);
  const tunables = process.env[variable] ?? "";
  const helpers = Math.max(1, availableParallelism() - 1);
  const flags = [
    ...(said.includes(youngGeneration) ? [] : [`${youngGeneration}=${youngGenerationMegabytes}`]),
    ...(said.includes(helperThreads) || helpers >= helperThreadsUsual ? [] : [`${helperThreads}=${helpers}`]),
  ];
  const wished = wants.hugePages && !tunables.includes(tunable) && givesHugePages() ? [`${tunable}=1`] : [];
  if ((flags.length === 0 && wished.length === 0) || process.channel) return;
  const [, ...own] = process.argv;
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...flags, ...own], {
    ...process.env,
    ...(wished.length > 0 && { [variable]: [tunables, ...wished].filter((part) => part !== "").join(":") }),
  });
}

/** Whether the kernel gives huge pages to who asks for them. */
function givesHugePages(): boolean {
  if (process.platform !== "linux") return false;
  try {
    return readFileSync(kernelSwitch, "utf8").includes("[madvise]");
  } catch {
    return false;
  }
}
