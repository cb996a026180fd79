// Readers of Avro records by their schema id: the writer's schema comes from the registry, and is compiled once per id while it is in use.
import { RdgError, describeError } from "../core/errors.ts";
import { type ForeignRecordReader, compileForeignRecordReader } from "../model/avro/foreign-record.ts";
import type { FieldModel } from "../model/value-type.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import type { Finding } from "./findings.ts";

export type FoundReader = { readonly read: ForeignRecordReader } | { readonly problem: Finding };

/** Readers in use, by number and by the length of their schemas, which their size follows; one is always kept. */
const readersMax = 256;
const schemaCharactersMax = 4_000_000;

interface KeptReader {
  readonly read: ForeignRecordReader;
  readonly schemaCharacters: number;
}

export class ForeignSchemas {
  readonly #registry: SchemaRegistry;
  readonly #fields: readonly FieldModel[];
  readonly #schema: string;
  /** In order of last use. */
  readonly #readers = new Map<number, KeptReader>();
  #schemaCharacters = 0;

  /** @param schema the definition's own, which `fields` stand for */
  constructor(registry: SchemaRegistry, fields: readonly FieldModel[], schema: string) {
    this.#registry = registry;
    this.#fields = fields;
    this.#schema = schema;
  }

  /** @throws RdgError when the registry cannot say now */
  async find(id: number): Promise<FoundReader> {
    let reader = this.#readers.get(id);
    if (reader === undefined) {
      try {
        const schema = await this.#registry.byId(id);
        const read = compileForeignRecordReader(this.#fields, this.#schema, schema);
        reader = { read, schemaCharacters: schema.length };
      } catch (error) {
        if (!(error instanceof RdgError)) throw error;
        if (error.code === "schema_not_found") return found("unknown_schema", `no schema has the id ${id}`);
        if (error.kind !== "invalid") throw error;
        return found("unresolvable_schema", `schema ${id}: ${describeError(error)}`);
      }
    }
    this.#keep(id, reader);
    return reader;
  }

  #keep(id: number, reader: KeptReader): void {
    this.#forget(id);
    this.#readers.set(id, reader);
    this.#schemaCharacters += reader.schemaCharacters;
    for (const oldest of this.#readers.keys()) {
      const isWithin = this.#readers.size <= readersMax && this.#schemaCharacters <= schemaCharactersMax;
      if (isWithin || oldest === id) return;
      this.#forget(oldest);
    }
  }

  #forget(id: number): void {
    this.#schemaCharacters -= this.#readers.get(id)?.schemaCharacters ?? 0;
    this.#readers.delete(id);
  }
}

function found(code: string, reason: string): FoundReader {
  return { problem: { field: "", code, reason } };
}
