// The schema registry: every Avro schema that was ever used, by id, and under subjects with versions and a compatibility rule.
//
// The same model and rules as Confluent's registry, so that its clients understand ours and ours its. Ids are global: the same canonical schema has
// the same id under every subject. Ids are positive int32 and never reused. What `register` resolved for is durable.
//
// Rejections: `invalid` (`invalid_schema`), `conflict` (`incompatible_schema`, with the differences), `not_found` (`subject_not_found`, `version_not_found`,
// `schema_not_found`), `unavailable`, `closed`.

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

export interface SchemaRegistry {
  /** Registers under the subject, or finds the same canonical schema there. */
  register(subject: string, schema: string): Promise<RegisteredSchema>;
  /** The same schema under this subject, if it is registered there. */
  lookup(subject: string, schema: string): Promise<RegisteredSchema | undefined>;
  byId(id: number): Promise<string>;
  subjects(): Promise<readonly string[]>;
  versions(subject: string): Promise<readonly number[]>;
  version(subject: string, version: number | "latest"): Promise<RegisteredSchema>;
  /** The reasons why the schema may not follow; empty when it may. */
  incompatibilities(subject: string, schema: string, version?: number | "latest"): Promise<readonly string[]>;
  compatibility(subject?: string): Promise<Compatibility>;
  setCompatibility(compatibility: Compatibility, subject?: string): Promise<void>;
  deleteSubject(subject: string): Promise<readonly number[]>;
  deleteVersion(subject: string, version: number | "latest"): Promise<number>;
  close(): Promise<void>;
}
