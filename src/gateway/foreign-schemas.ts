// Readers of Avro records by their schema id: the writer's schema comes from the registry, and is compiled once per id while it is in use.
import { RdgError, describeError } from "../core/errors.ts";
import { type ForeignRecordReader, compileForeignRecordReader } from "../model/avro/foreign-record.ts";
import type { FieldModel } from "../model/value-type.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import type { Finding } from "./findings.ts";

export type FoundReader = { readonly read: ForeignRecordReader } | { readonly problem: Finding };

const readersMax = 256;

export class ForeignSchemas {
  readonly #registry: SchemaRegistry;
  readonly #fields: readonly FieldModel[];
  readonly #schema: string;
  /** In order of last use. */
  readonly #readers = new Map<number, ForeignRecordReader>();

  /** @param schema the definition's own, which `fields` stand for */
  constructor(registry: SchemaRegistry, fields: readonly FieldModel[], schema: string) {
    this.#registry = registry;
    this.#fields = fields;
    this.#schema = schema;
  }

  /** @throws RdgError when the registry cannot say now */
  async find(id: number): Promise<FoundReader> {
    let read = this.#readers.get(id);
    if (read === undefined) {
      try {
        read = compileForeignRecordReader(this.#fields, this.#schema, await this.#registry.byId(id));
      } catch (error) {
        if (!(error instanceof RdgError)) throw error;
        if (error.code === "schema_not_found") return found("unknown_schema", `no schema has the id ${id}`);
        if (error.kind !== "invalid") throw error;
        return found("unresolvable_schema", `schema ${id}: ${describeError(error)}`);
      }
    }
    this.#readers.delete(id);
    this.#readers.set(id, read);
    if (this.#readers.size > readersMax) this.#readers.delete(this.#readers.keys().next().value!);
    return { read };
  }
}

function found(code: string, reason: string): FoundReader {
  return { problem: { field: "", code, reason } };
}
