// Which formats of the log's own records are read: the first one does not say its number, all later ones do (a member `format` of their JSON).
import { RdgError } from "../../core/errors.ts";

const recordFormat = 1;

/** @throws RdgError invalid, `unknown_format` for what a later version of RDG wrote */
export function assertRecordFormat(record: object, place: string): void {
  const { format = recordFormat } = record as { readonly format?: unknown };
  if (format === recordFormat) return;
  const found = JSON.stringify(format)?.slice(0, 20);
  throw new RdgError(
    "invalid",
    "unknown_format",
    `A record of ${place} has format ${found}; this version reads format ${recordFormat}.`,
    { place, hint: "Use the version of RDG that wrote it, or a later one." },
  );
}
