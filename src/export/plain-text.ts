// Values of canonical lines as formats without lists and objects tell them.

/** A value that is not null: a text as it is, anything else as its JSON. */
export function plainText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
