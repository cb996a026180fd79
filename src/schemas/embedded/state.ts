// What the registry knows, as a function of its journal's entries.
import { parseAvroSchema } from "../../model/avro/schema-tree.ts";
import type { Compatibility, RegisteredSchema } from "../port.ts";

/** As stored in the journal: names and meanings are part of its format. */
export type Entry =
  | { readonly put: "schema"; readonly id: number; readonly schema: string }
  | { readonly put: "version"; readonly subject: string; readonly version: number; readonly id: number }
  | { readonly put: "deleted" | "purged"; readonly subject: string; readonly version: number }
  | { readonly put: "compatibility"; readonly subject: string | null; readonly compatibility: Compatibility | null };

interface Version {
  readonly id: number;
  deleted: boolean;
}

export class RegistryState {
  nextId = 1;
  readonly #schemas = new Map<number, string>();
  readonly #ids = new Map<string, number>();
  /** By subject, then by version in ascending order. */
  readonly #subjects = new Map<string, Map<number, Version>>();
  readonly #compatibilities = new Map<string | undefined, Compatibility>();

  apply(entry: Entry): void {
    switch (entry.put) {
      case "schema":
        this.#schemas.set(entry.id, entry.schema);
        this.#ids.set(parseAvroSchema(entry.schema).canonical, entry.id);
        this.nextId = Math.max(this.nextId, entry.id + 1);
        break;
      case "version": {
        const versions = this.#subjects.get(entry.subject) ?? new Map<number, Version>();
        this.#subjects.set(entry.subject, versions.set(entry.version, { id: entry.id, deleted: false }));
        break;
      }
      case "deleted": {
        const version = this.#subjects.get(entry.subject)?.get(entry.version);
        if (version !== undefined) version.deleted = true;
        break;
      }
      case "purged": {
        const versions = this.#subjects.get(entry.subject);
        versions?.delete(entry.version);
        if (versions?.size === 0) this.#subjects.delete(entry.subject);
        break;
      }
      case "compatibility":
        if (entry.compatibility === null) this.#compatibilities.delete(entry.subject ?? undefined);
        else this.#compatibilities.set(entry.subject ?? undefined, entry.compatibility);
        break;
    }
  }

  /** The shortest journal that leads to this state. */
  entries(): Entry[] {
    const entries: Entry[] = [];
    for (const [id, schema] of this.#schemas) entries.push({ put: "schema", id, schema });
    for (const [subject, versions] of this.#subjects) {
      for (const [version, { id, deleted }] of versions) {
        entries.push({ put: "version", subject, version, id });
        if (deleted) entries.push({ put: "deleted", subject, version });
      }
    }
    for (const [subject, compatibility] of this.#compatibilities) {
      entries.push({ put: "compatibility", subject: subject ?? null, compatibility });
    }
    return entries;
  }

  get compatibilities(): number {
    return this.#compatibilities.size;
  }

  schema(id: number): string | undefined {
    return this.#schemas.get(id);
  }

  idOf(canonical: string): number | undefined {
    return this.#ids.get(canonical);
  }

  subjects(deleted: boolean): readonly string[] {
    return [...this.#subjects.keys()].filter((subject) => this.versions(subject, deleted).length > 0).sort();
  }

  versions(subject: string, deleted: boolean): readonly number[] {
    const versions = [...(this.#subjects.get(subject) ?? [])];
    return versions.filter(([, version]) => deleted || !version.deleted).map(([number]) => number);
  }

  nextVersion(subject: string): number {
    return (this.versions(subject, true).at(-1) ?? 0) + 1;
  }

  registered(subject: string, version: number): RegisteredSchema | undefined {
    const id = this.#subjects.get(subject)?.get(version)?.id;
    return id === undefined ? undefined : { subject, version, id, schema: this.#schemas.get(id)! };
  }

  /** The newest version that has this schema. */
  lookup(subject: string, canonical: string, deleted: boolean): RegisteredSchema | undefined {
    const id = this.#ids.get(canonical);
    const numbers = this.versions(subject, deleted).filter((number) => this.registered(subject, number)!.id === id);
    return numbers.length === 0 ? undefined : this.registered(subject, numbers.at(-1)!);
  }

  /** undefined for the subject asks for the global one. */
  ownCompatibility(subject: string | undefined): Compatibility | undefined {
    return this.#compatibilities.get(subject);
  }

  compatibilityOf(subject: string | undefined): Compatibility {
    return this.#compatibilities.get(subject) ?? this.#compatibilities.get(undefined) ?? "BACKWARD";
  }
}
