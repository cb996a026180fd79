// The embedded schema registry: all of it in memory, every change in its journal before it is answered.
import { join } from "node:path";
import { RdgError } from "../../core/errors.ts";
import { parseAvroSchema } from "../../model/avro/schema-tree.ts";
import { evolutionProblems } from "../compatibility.ts";
import type { Compatibility, DeleteOptions, RegisteredSchema, SchemaRegistry, VersionOptions } from "../port.ts";
import { type Journal, openJournal } from "./journal.ts";
import { type Entry, RegistryState } from "./state.ts";

export interface EmbeddedRegistrySettings {
  readonly folder: string;
  readonly subjectsMax?: number;
  readonly versionsPerSubjectMax?: number;
  readonly schemasMax?: number;
}

const fileName = "schemas.journal";
/** The journal is rewritten when opened if it holds this many times more entries than the state needs. */
const historyMax = 4;

export async function openEmbeddedRegistry(settings: EmbeddedRegistrySettings): Promise<SchemaRegistry> {
  const { journal, entries } = await openJournal<Entry>(join(settings.folder, fileName));
  const state = new RegistryState();
  for (const entry of entries) state.apply(entry);
  const needed = state.entries();
  if (entries.length > needed.length * historyMax + 100) await journal.rewrite(needed);
  return new EmbeddedRegistry(state, journal, settings);
}

class EmbeddedRegistry implements SchemaRegistry {
  readonly #state: RegistryState;
  readonly #journal: Journal<Entry>;
  readonly #subjectsMax: number;
  readonly #versionsMax: number;
  readonly #schemasMax: number;
  /** Changes run one after the other; reads see what is durable. */
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(state: RegistryState, journal: Journal<Entry>, settings: EmbeddedRegistrySettings) {
    this.#state = state;
    this.#journal = journal;
    this.#subjectsMax = settings.subjectsMax ?? 10_000;
    this.#versionsMax = settings.versionsPerSubjectMax ?? 1_000;
    this.#schemasMax = settings.schemasMax ?? 100_000;
  }

  async register(subject: string, schema: string): Promise<RegisteredSchema> {
    checkSubject(subject);
    const { canonical } = parseAvroSchema(schema);
    return this.#change(async () => {
      const found = this.#state.lookup(subject, canonical, false);
      if (found !== undefined) return found;
      const problems = this.#incompatibilities(subject, schema);
      if (problems.length > 0) throw incompatible(subject, this.#state.compatibilityOf(subject), problems);
      this.#checkRoom(subject);
      const id = this.#state.idOf(canonical);
      const entries: Entry[] = id === undefined ? [{ put: "schema", id: this.#state.nextId, schema }] : [];
      const version = this.#state.nextVersion(subject);
      entries.push({ put: "version", subject, version, id: id ?? this.#state.nextId });
      await this.#write(entries);
      return this.#state.registered(subject, version)!;
    });
  }

  async lookup(subject: string, schema: string, options: VersionOptions = {}): Promise<RegisteredSchema | undefined> {
    this.#checkOpen();
    const { canonical } = parseAvroSchema(schema);
    return this.#state.lookup(subject, canonical, options.deleted === true);
  }

  async byId(id: number): Promise<string> {
    this.#checkOpen();
    const schema = this.#state.schema(id);
    if (schema !== undefined) return schema;
    throw new RdgError("not_found", "schema_not_found", `No schema has the id ${id}.`, {
      place: `schema ${id}`,
      hint: "The record was written with another registry, or it is damaged.",
    });
  }

  async subjects(options: VersionOptions = {}): Promise<readonly string[]> {
    this.#checkOpen();
    return this.#state.subjects(options.deleted === true);
  }

  async versions(subject: string, options: VersionOptions = {}): Promise<readonly number[]> {
    this.#checkOpen();
    return this.#versions(subject, options.deleted === true);
  }

  async version(subject: string, version: number | "latest", options: VersionOptions = {}): Promise<RegisteredSchema> {
    this.#checkOpen();
    return this.#version(subject, version, options.deleted === true);
  }

  async incompatibilities(subject: string, schema: string, version?: number | "latest"): Promise<readonly string[]> {
    this.#checkOpen();
    parseAvroSchema(schema);
    return this.#incompatibilities(subject, schema, version);
  }

  async compatibility(subject?: string): Promise<Compatibility> {
    this.#checkOpen();
    return this.#state.compatibilityOf(subject);
  }

  async ownCompatibility(subject: string): Promise<Compatibility | undefined> {
    this.#checkOpen();
    return this.#state.ownCompatibility(subject);
  }

  async setCompatibility(compatibility: Compatibility | undefined, subject?: string): Promise<void> {
    if (subject !== undefined) checkSubject(subject);
    await this.#change(async () => {
      if (this.#state.ownCompatibility(subject) === compatibility) return;
      if (subject !== undefined && compatibility !== undefined && this.#state.compatibilities >= this.#subjectsMax) {
        throw full(`compatibility settings for ${this.#subjectsMax} subjects`);
      }
      await this.#write([{ put: "compatibility", subject: subject ?? null, compatibility: compatibility ?? null }]);
    });
  }

  async deleteSubject(subject: string, options: DeleteOptions = {}): Promise<readonly number[]> {
    return this.#change(async () => {
      const all = this.#versions(subject, true);
      const live = this.#state.versions(subject, false);
      if (options.permanent !== true) {
        if (live.length === 0) throw softDeleted("subject", subject);
        await this.#write(live.map((version) => ({ put: "deleted", subject, version })));
        return live;
      }
      if (live.length > 0) throw notSoftDeleted("subject", subject);
      await this.#write(all.map((version) => ({ put: "purged", subject, version })));
      return all;
    });
  }

  async deleteVersion(subject: string, version: number | "latest", options: DeleteOptions = {}): Promise<number> {
    return this.#change(async () => {
      const found = this.#version(subject, version, version !== "latest");
      const live = this.#state.versions(subject, false).includes(found.version);
      const name = `${subject} version ${found.version}`;
      if (options.permanent !== true && !live) throw softDeleted("version", name);
      if (options.permanent === true && live) throw notSoftDeleted("version", name);
      await this.#write([{ put: live ? "deleted" : "purged", subject, version: found.version }]);
      return found.version;
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#tail;
    await this.#journal.close();
  }

  #versions(subject: string, deleted: boolean): readonly number[] {
    const versions = this.#state.versions(subject, deleted);
    if (versions.length === 0) throw subjectNotFound(subject);
    return versions;
  }

  #version(subject: string, version: number | "latest", deleted: boolean): RegisteredSchema {
    const versions = this.#versions(subject, deleted);
    const number = version === "latest" ? versions.at(-1)! : version;
    const found = versions.includes(number) ? this.#state.registered(subject, number) : undefined;
    if (found !== undefined) return found;
    throw new RdgError("not_found", "version_not_found", `The subject "${subject}" has no version ${version}.`, {
      place: subject,
      hint: `Its versions are ${versions.slice(-20).join(", ")}.`,
    });
  }

  #incompatibilities(subject: string, schema: string, version?: number | "latest"): readonly string[] {
    const compatibility = this.#state.compatibilityOf(subject);
    const live = this.#state.versions(subject, false);
    const compared = (): readonly number[] => {
      if (version !== undefined && version !== "latest") return [this.#version(subject, version, false).version];
      return version === undefined && compatibility.endsWith("_TRANSITIVE") ? live : live.slice(-1);
    };
    return compared().flatMap((number) => {
      const earlier = this.#state.registered(subject, number)!.schema;
      return evolutionProblems(schema, earlier, compatibility).map((problem) => `version ${number}: ${problem}`);
    });
  }

  #checkRoom(subject: string): void {
    const all = this.#state.versions(subject, true);
    if (all.length >= this.#versionsMax) throw full(`${this.#versionsMax} versions of one subject`);
    if (all.length === 0 && this.#state.subjects(true).length >= this.#subjectsMax)
      throw full(`${this.#subjectsMax} subjects`);
    if (this.#state.nextId > this.#schemasMax) throw full(`${this.#schemasMax} schemas`);
  }

  #checkOpen(): void {
    if (this.#closed) throw new RdgError("closed", "registry_closed", "The schema registry is closed.");
  }

  async #change<T>(run: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    const result = this.#tail.then(run);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    await this.#journal.append(entries);
    for (const entry of entries) this.#state.apply(entry);
  }
}

function checkSubject(subject: string): void {
  const bytes = Buffer.byteLength(subject);
  if (bytes > 0 && bytes <= 255 && subject.isWellFormed() && !/\p{Cc}/u.test(subject)) return;
  throw new RdgError("invalid", "invalid_subject", "The name of the subject is not valid.", {
    hint: "A subject is 1 to 255 bytes of text without control characters, for example events.playback-value.",
  });
}

function incompatible(subject: string, compatibility: Compatibility, problems: readonly string[]): RdgError {
  return new RdgError(
    "conflict",
    "incompatible_schema",
    `The schema may not follow (${compatibility}): ${problems.join("; ")}.`,
    {
      place: subject,
      hint: "Give new fields a default and keep what the earlier versions have, or change the subject's compatibility.",
    },
  );
}

function subjectNotFound(subject: string): RdgError {
  return new RdgError("not_found", "subject_not_found", `There is no subject "${subject}".`, {
    place: subject,
    hint: "Subjects are named <topic>-value, for example events.playback-value.",
  });
}

function softDeleted(what: "subject" | "version", name: string): RdgError {
  return new RdgError("not_found", `${what}_soft_deleted`, `The ${what} "${name}" is deleted already.`, {
    place: name,
    hint: "Delete it permanently to free its number.",
  });
}

function notSoftDeleted(what: "subject" | "version", name: string): RdgError {
  return new RdgError("not_found", `${what}_not_soft_deleted`, `The ${what} "${name}" is not deleted yet.`, {
    place: name,
    hint: "Delete it first, then permanently.",
  });
}

function full(what: string): RdgError {
  return new RdgError("overloaded", "registry_full", `The schema registry holds its bound of ${what}.`, {
    hint: "Delete what is no longer used, permanently, or raise the bound in the settings.",
  });
}
