// Makes `import "rdg"` in files of users mean the copy of the package that runs.
import { registerHooks } from "node:module";
import { extname } from "node:path";

let hooked = false;

/** A definition's or a settings file's `import "rdg"` means the package that runs it: it needs no installation of its own beside it, and never gets a second copy. */
export function resolvePackageToThisCopy(): void {
  if (hooked) return;
  hooked = true;
  const extension = extname(new URL(import.meta.url).pathname);
  const format = extension === ".ts" ? "module-typescript" : "module";
  const entries: Readonly<Record<string, string>> = {
    rdg: new URL(`../index${extension}`, import.meta.url).href,
    "rdg/client": new URL(`../client/index${extension}`, import.meta.url).href,
    "rdg/client/grpc": new URL(`../client/grpc/index${extension}`, import.meta.url).href,
    "rdg/testing": new URL(`../testing/index${extension}`, import.meta.url).href,
  };
  registerHooks({
    resolve: (specifier, context, next) =>
      Object.hasOwn(entries, specifier)
        ? { url: entries[specifier]!, shortCircuit: true, format }
        : next(specifier, context),
  });
}
