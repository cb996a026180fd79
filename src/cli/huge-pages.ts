// Has the C library ask Linux for huge pages: the graph is read at random, and with pages of 4 KB every second access waits for the page table, too.
// The library reads this wish only when a process starts, so the process starts anew in place: same id, same files, a few hundredths of a second.
import { readFileSync } from "node:fs";

const variable = "GLIBC_TUNABLES";
const tunable = "glibc.malloc.hugetlb";
const kernelSwitch = "/sys/kernel/mm/transparent_hugepage/enabled";

/** Does not return where it starts the process anew. Elsewhere nothing happens: another system or kernel setting, the wish is there already, or a parent talks with this process. */
export function askForHugePages(): void {
  const tunables = process.env[variable] ?? "";
  if (tunables.includes(tunable) || process.channel || !onRequest()) return;
  const wished = [tunables, `${tunable}=1`].filter((part) => part !== "").join(":");
  const [, ...own] = process.argv;
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...own], {
    ...process.env,
    [variable]: wished,
  });
}

/** Whether the kernel gives huge pages to who asks for them. */
function onRequest(): boolean {
  if (process.platform !== "linux") return false;
  try {
    return readFileSync(kernelSwitch, "utf8").includes("[madvise]");
  } catch {
    return false;
  }
}
