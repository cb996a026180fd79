// The schema registry: every Avro schema that was ever used, by id, and under subjects with versions and a compatibility rule.
//
// The same model and rules as Confluent's registry, so that its clients understand ours and ours its. Ids are global: the same canonical schema has
// the same id under every subject. Ids are positive int32 and never reused. What `register` resolved for is durable.
//
// Deletion is soft at first: a deleted version is no longer listed, looked up or compared with, but its number stays taken until it is deleted
// permanently. `byId` answers for every id that was ever given, since records refer to it.
//
// Rejections: `invalid` (`invalid_schema`, `invalid_subject`), `conflict` (`incompatible_schema`, with the differences), `not_found` (`subject_not_found`,
// `version_not_found`, `schema_not_found`; `subject_soft_deleted`, `version_soft_deleted`: only a permanent deletion is left;
// `subject_not_soft_deleted`, `version_not_soft_deleted`: a permanent deletion comes second), `overloaded` (`registry_full`), `unavailable`, `closed`.

export type Compatibility =
  | "NONE"
  | "BACKWARD"
  | "BACKWARD_TRANSITIVE"
  | "FORWARD"
  | "FORWARD_TRANSITIVE"
  | "FULL"
  | "FULL_TRANSITIVE";

export interface RegisteredSchema {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  /** Avro schema as JSON text. */
  readonly schema: string;
}

/** `deleted`: soft-deleted versions count too. */
export interface VersionOptions {
  readonly deleted?: boolean;
}

export interface DeleteOptions {
  readonly permanent?: boolean;
}

export interface SchemaRegistry {
  /** Registers under the subject, or finds the same canonical schema there. */
  register(subject: string, schema: string): Promise<RegisteredSchema>;
  /** The same schema under this subject, if it is registered there. */
  lookup(subject: string, schema: string, options?: VersionOptions): Promise<RegisteredSchema | undefined>;
  byId(id: number): Promise<string>;
  subjects(options?: VersionOptions): Promise<readonly string[]>;
  versions(subject: string, options?: VersionOptions): Promise<readonly number[]>;
  version(subject: string, version: number | "latest", options?: VersionOptions): Promise<RegisteredSchema>;
  /**
   * The reasons why the schema may not follow: compared with one version, or, where none is named, with those that the subject's compatibility asks
   * for. Empty when it may.
   */
  incompatibilities(subject: string, schema: string, version?: number | "latest"): Promise<readonly string[]>;
  /** What holds for the subject (its own, else the global one), or globally. */
  compatibility(subject?: string): Promise<Compatibility>;
  /** What was set for the subject itself. */
  ownCompatibility(subject: string): Promise<Compatibility | undefined>;
  /** undefined: the subject follows the global one again; globally: back to BACKWARD. */
  setCompatibility(compatibility: Compatibility | undefined, subject?: string): Promise<void>;
  deleteSubject(subject: string, options?: DeleteOptions): Promise<readonly number[]>;
  deleteVersion(subject: string, version: number | "latest", options?: DeleteOptions): Promise<number>;
  close(): Promise<void>;
}
