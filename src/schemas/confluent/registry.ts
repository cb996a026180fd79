// The schemas port on a registry that is not ours, by Confluent's REST API: what it answered once for ever is kept, everything else is asked for.
//
// Beyond the port: the schema that is registered is normalised by the registry where it can (`normalize=true`); without that, two spellings of one schema may
// be two. Schemas that refer to those of other subjects are given back whole. Other types than Avro are refused with `not_avro`.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { type Random, systemRandom } from "../../core/random.ts";
import { WeighedCache } from "../../core/weighed-cache.ts";
import { parseAvroSchema } from "../../model/avro/schema-tree.ts";
import type { Compatibility, DeleteOptions, RegisteredSchema, SchemaRegistry, VersionOptions } from "../port.ts";
import { type Refusal, registryFailed } from "./failures.ts";
import { inlineReferences } from "./references.ts";
import { type Answer, type Call, RegistryRest, registryClosed } from "./rest.ts";
import { confluentDefaults, type ConfluentConnection, type ConfluentSettings } from "./settings.ts";

export interface ConfluentRegistryOptions {
  readonly connection: ConfluentConnection;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly settings?: Partial<ConfluentSettings>;
  readonly random?: Random;
}

/** Asks nothing yet. @throws RdgError invalid, `bad_registry_url` */
export function openConfluentRegistry(options: ConfluentRegistryOptions): SchemaRegistry {
  const settings = { ...confluentDefaults, ...options.settings };
  const rest = new RegistryRest({ random: systemRandom, ...options, settings });
  return new ConfluentRegistry(rest, options.clock, settings);
}

/** What a version is beyond its schema, which may be large. */
interface Stored {
  readonly schema: string;
  readonly schemaType?: string;
  readonly references?: readonly Reference[];
}

interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

const referencesMax = 200;
const unknownMax = 1_000;

class ConfluentRegistry implements SchemaRegistry {
  readonly #rest: RegistryRest;
  readonly #clock: Clock;
  readonly #settings: ConfluentSettings;
  /** By id: what an id stands for never changes. */
  readonly #schemas: WeighedCache<string>;
  /** By subject and text: registered before. */
  readonly #registered: WeighedCache<RegisteredSchema>;
  /** Ids that the registry does not know, and until when that is believed. */
  readonly #unknown = new Map<number, number>();
  /** Calls under way that others wait for too. */
  readonly #shared = new Map<string, Promise<unknown>>();
  #closed = false;

  constructor(rest: RegistryRest, clock: Clock, settings: ConfluentSettings) {
    this.#rest = rest;
    this.#clock = clock;
    this.#settings = settings;
    this.#schemas = new WeighedCache(settings.cacheCharactersMax);
    this.#registered = new WeighedCache(settings.cacheCharactersMax);
  }

  async register(subject: string, schema: string): Promise<RegisteredSchema> {
    this.#checkOpen();
    checkSubject(subject);
    const { canonical } = parseAvroSchema(schema);
    const key = cacheKey(subject, canonical);
    const known = this.#registered.get(key);
    if (known !== undefined) return known;
    return this.#sharing(`register ${key}`, async () => {
      const registered = await this.#register(subject, schema);
      this.#registered.set(key, registered, canonical.length + registered.schema.length);
      return registered;
    });
  }

  async lookup(subject: string, schema: string, options: VersionOptions = {}): Promise<RegisteredSchema | undefined> {
    this.#checkOpen();
    parseAvroSchema(schema);
    const path = `/subjects/${encodeURIComponent(subject)}?normalize=true${deletedToo(options, "&")}`;
    const answer = await this.#call({ method: "POST", path, body: bodyOf(schema), repeatable: true });
    if (isRefused(answer, 40401, 40403)) return undefined;
    return this.#registeredOf(valueOf(answer, "look up the schema", subject), subject);
  }

  async byId(id: number): Promise<string> {
    this.#checkOpen();
    const known = this.#schemas.get(String(id));
    if (known !== undefined) return known;
    if ((this.#unknown.get(id) ?? -Infinity) > this.#clock.monotonicMs()) throw unknownId(id);
    return this.#sharing(`id ${id}`, async () => {
      const answer = await this.#get(`/schemas/ids/${id}`);
      if (isRefused(answer, 40403, 404)) {
        this.#remember(id);
        throw unknownId(id);
      }
      const schema = await this.#wholeOf(valueOf(answer, "find the schema", `schema ${id}`), `schema ${id}`);
      this.#schemas.set(String(id), schema, schema.length);
      return schema;
    });
  }

  async subjects(options: VersionOptions = {}): Promise<readonly string[]> {
    this.#checkOpen();
    const answer = await this.#get(`/subjects${deletedToo(options, "?")}`);
    return valueOf(answer, "list subjects", "subjects") as readonly string[];
  }

  async versions(subject: string, options: VersionOptions = {}): Promise<readonly number[]> {
    this.#checkOpen();
    const answer = await this.#get(`/subjects/${encodeURIComponent(subject)}/versions${deletedToo(options, "?")}`);
    return valueOf(answer, "list versions", subject) as readonly number[];
  }

  async version(subject: string, version: number | "latest", options: VersionOptions = {}): Promise<RegisteredSchema> {
    this.#checkOpen();
    const answer = await this.#get(
      `/subjects/${encodeURIComponent(subject)}/versions/${version}${deletedToo(options, "?")}`,
    );
    return this.#registeredOf(valueOf(answer, "find the version", `${subject} version ${version}`), subject);
  }

  async incompatibilities(subject: string, schema: string, version?: number | "latest"): Promise<readonly string[]> {
    this.#checkOpen();
    parseAvroSchema(schema);
    const named = version === undefined ? "" : `/${version}`;
    const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions${named}?verbose=true&normalize=true`;
    const answer = await this.#call({ method: "POST", path, body: bodyOf(schema), repeatable: true });
    // Nothing is there to be compared with.
    if (typeof version !== "number" && isRefused(answer, 40401, 40402)) return [];
    const { is_compatible: compatible, messages } = valueOf(answer, "compare the schema", subject) as {
      readonly is_compatible?: boolean;
      readonly messages?: readonly string[] | null;
    };
    if (compatible === true) return [];
    return messages?.length ? messages : ["the registry does not say why"];
  }

  async compatibility(subject?: string): Promise<Compatibility> {
    const own = subject === undefined ? undefined : await this.ownCompatibility(subject);
    return own ?? levelOf(await this.#get("/config"), "global compatibility");
  }

  async ownCompatibility(subject: string): Promise<Compatibility | undefined> {
    this.#checkOpen();
    const answer = await this.#get(`/config/${encodeURIComponent(subject)}`);
    // Older releases and Apicurio say that there is no such subject.
    if (isRefused(answer, 40408, 40401, 404)) return undefined;
    return levelOf(answer, subject);
  }

  async setCompatibility(compatibility: Compatibility | undefined, subject?: string): Promise<void> {
    this.#checkOpen();
    if (subject !== undefined) checkSubject(subject);
    const path = subject === undefined ? "/config" : `/config/${encodeURIComponent(subject)}`;
    if (compatibility !== undefined) {
      const answer = await this.#call({ method: "PUT", path, body: { compatibility }, repeatable: true });
      valueOf(answer, "set the compatibility", subject ?? "global");
      return;
    }
    const answer = await this.#call({ method: "DELETE", path, repeatable: true });
    if (isRefused(answer, 40408, 40401, 404)) return;
    valueOf(answer, "reset the compatibility", subject ?? "global");
  }

  async deleteSubject(subject: string, options: DeleteOptions = {}): Promise<readonly number[]> {
    const path = `/subjects/${encodeURIComponent(subject)}${options.permanent === true ? "?permanent=true" : ""}`;
    const answer = await this.#delete(path);
    return valueOf(answer, "delete the subject", subject) as readonly number[];
  }

  async deleteVersion(subject: string, version: number | "latest", options: DeleteOptions = {}): Promise<number> {
    const permanent = options.permanent === true ? "?permanent=true" : "";
    const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}${permanent}`;
    const answer = await this.#delete(path);
    return valueOf(answer, "delete the version", `${subject} version ${version}`) as number;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#rest.close();
    await Promise.allSettled(this.#shared.values());
  }

  async #register(subject: string, schema: string, isRetry = false): Promise<RegisteredSchema> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions?normalize=true`;
    const answer = await this.#call({ method: "POST", path, body: bodyOf(schema), repeatable: true });
    if (isRefused(answer, 409)) {
      // Some registries also refuse one of two that register the same new schema at the same moment.
      const found = await this.lookup(subject, schema);
      if (found !== undefined) return found;
      const problems = await this.incompatibilities(subject, schema);
      if (problems.length === 0 && !isRetry) return this.#register(subject, schema, true);
      throw incompatible(subject, problems, answer.refusal);
    }
    valueOf(answer, "register the schema", subject);
    const found = await this.lookup(subject, schema);
    if (found !== undefined) return found;
    throw new RdgError(
      "conflict",
      "registered_differently",
      "The registry does not find what it has just registered.",
      {
        place: subject,
        hint: "Somebody may have deleted it meanwhile: try again.",
      },
    );
  }

  async #delete(path: string): Promise<Answer> {
    this.#checkOpen();
    const answer = await this.#call({ method: "DELETE", path, repeatable: false });
    this.#registered.clear();
    return answer;
  }

  async #registeredOf(value: unknown, asked: string): Promise<RegisteredSchema> {
    const { subject = asked, version, id } = value as Partial<RegisteredSchema>;
    if (typeof version !== "number" || typeof id !== "number") throw strangeAnswer(asked);
    const schema = this.#schemas.get(String(id)) ?? (await this.#wholeOf(value, `${asked} version ${version}`));
    this.#schemas.set(String(id), schema, schema.length);
    return { subject, version, id, schema };
  }

  async #wholeOf(value: unknown, place: string): Promise<string> {
    const { schema, schemaType, references } = value as Partial<Stored>;
    if (typeof schema !== "string") throw strangeAnswer(place);
    if (schemaType !== undefined && schemaType !== null && schemaType !== "AVRO") {
      throw new RdgError("invalid", "not_avro", `The schema is of the type ${schemaType}, not Avro.`, {
        place,
        hint: "RDG reads records in Avro, and JSON values without a registry.",
      });
    }
    if (!Array.isArray(references) || references.length === 0) return schema;
    const referred = new Map<string, string>();
    await this.#collect(references, referred, place);
    return inlineReferences(schema, referred);
  }

  /** Referred schemas as they are written, since names may lead from any of them to any other. */
  async #collect(references: readonly Reference[], referred: Map<string, string>, place: string): Promise<void> {
    for (const { name, subject, version } of references) {
      if (referred.has(name)) continue;
      if (referred.size >= referencesMax) {
        throw new RdgError("invalid", "too_many_references", `The schema refers to over ${referencesMax} others.`, {
          place,
        });
      }
      const answer = await this.#get(`/subjects/${encodeURIComponent(subject)}/versions/${version}`);
      const stored = valueOf(answer, "find a schema that is referred to", subject) as Partial<Stored>;
      if (typeof stored.schema !== "string") throw strangeAnswer(subject);
      referred.set(name, stored.schema);
      await this.#collect(stored.references ?? [], referred, place);
    }
  }

  #remember(id: number): void {
    if (this.#unknown.size >= unknownMax) this.#unknown.clear();
    this.#unknown.set(id, this.#clock.monotonicMs() + this.#settings.unknownForMs);
  }

  #get(path: string): Promise<Answer> {
    this.#checkOpen();
    return this.#rest.call({ method: "GET", path, repeatable: true });
  }

  #call(call: Call): Promise<Answer> {
    this.#checkOpen();
    return this.#rest.call(call);
  }

  /** Whoever asks for the same at the same time gets the same answer. */
  async #sharing<T>(key: string, run: () => Promise<T>): Promise<T> {
    const under = this.#shared.get(key);
    if (under !== undefined) return under as Promise<T>;
    const result = run().finally(() => this.#shared.delete(key));
    this.#shared.set(key, result);
    return result;
  }

  #checkOpen(): void {
    if (this.#closed) throw registryClosed();
  }
}

type Refused = Extract<Answer, { refusal: unknown }>;

function isRefused(answer: Answer, ...codes: readonly number[]): answer is Refused {
  return "refusal" in answer && codes.includes(answer.refusal.code);
}

function valueOf(answer: Answer, doing: string, place: string): unknown {
  if ("refusal" in answer) throw registryFailed(answer.refusal, doing, place);
  return answer.value;
}

function levelOf(answer: Answer, place: string): Compatibility {
  const { compatibilityLevel, compatibility } = valueOf(answer, "read the compatibility", place) as {
    readonly compatibilityLevel?: Compatibility;
    readonly compatibility?: Compatibility;
  };
  const level = compatibilityLevel ?? compatibility;
  if (level === undefined) throw strangeAnswer(place);
  return level;
}

const bodyOf = (schema: string): object => ({ schema, schemaType: "AVRO" });

const deletedToo = (options: VersionOptions, before: "?" | "&"): string =>
  options.deleted === true ? `${before}deleted=true` : "";

const cacheKey = (subject: string, canonical: string): string => `${subject.length}:${subject}${canonical}`;

function checkSubject(subject: string): void {
  if (subject !== "" && subject.isWellFormed() && !/\p{Cc}/u.test(subject)) return;
  throw new RdgError("invalid", "invalid_subject", "The name of the subject is not valid.", {
    hint: "A subject is text without control characters, for example orders-value.",
  });
}

function unknownId(id: number): RdgError {
  return new RdgError("not_found", "schema_not_found", `No schema has the id ${id}.`, {
    place: `schema ${id}`,
    hint: "The record was written with another registry, or it is damaged.",
  });
}

function incompatible(subject: string, problems: readonly string[], refusal: Refusal): RdgError {
  const { message } = registryFailed(
    { ...refusal, message: problems.length > 0 ? problems.join("; ") : refusal.message },
    "register the schema",
    subject,
  );
  return new RdgError("conflict", "incompatible_schema", message, {
    place: subject,
    hint: "Give new fields a default and keep what the earlier versions have, or change the subject's compatibility.",
  });
}

function strangeAnswer(place: string): RdgError {
  return new RdgError("invalid", "registry_refused", "The registry's answer has another form than Confluent's.", {
    place,
    hint: "Check that the address is that of a Confluent-compatible REST API.",
  });
}
