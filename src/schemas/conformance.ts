// The registry's contract as tests: every adapter runs them against itself, with a way to open it and what it cannot do as all it says of itself.
//
// An adapter's own test is its factory and one call:  registryConformance("embedded", async () => ({ open, dispose }));
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { randomId } from "../core/random.ts";
import type { RegisteredSchema, SchemaRegistry } from "./port.ts";

export interface RegistryUnderTest {
  open(): Promise<SchemaRegistry>;
  /** Another client at the same time; missing where there can be one only, which is closed and opened again instead. */
  peer?(): Promise<SchemaRegistry>;
  /** Removes everything. */
  dispose(): Promise<void>;
}

/** Where a registry that is not ours is known to keep less than the port says; each is told in docs/registry.md. */
export interface RegistryDeviations {
  /** The permanent deletion of a subject needs no soft one before it. */
  readonly deletesSubjectsAtOnce?: boolean;
  /** A subject without a compatibility of its own seems to have the global one. */
  readonly showsGlobalAsOwn?: boolean;
  /** A schema is compared with every version, whatever the subject's compatibility says. */
  readonly comparesWithAll?: boolean;
  /** The reasons why a schema may not follow are not told. */
  readonly noReasons?: boolean;
}

const record = (...fields: readonly string[]): string =>
  `{"type":"record","name":"R","fields":[${fields.map((field) => `{${field}}`).join(",")}]}`;
const one = record('"name":"a","type":"int"');
const oneSpelledOtherwise = `{ "fields": [{"type":"int", "name":"a"}], "name":"R", "type":"record"}`;
const two = record('"name":"a","type":"int"', '"name":"b","type":"string","default":""');
const three = record('"name":"a","type":"int"', '"name":"b","type":"string"');
const other = record('"name":"a","type":"string"');

export function registryConformance(
  name: string,
  make: () => Promise<RegistryUnderTest>,
  deviations: RegistryDeviations = {},
): void {
  describe(`${name} keeps the contract of a registry`, () => {
    let subject: RegistryUnderTest;
    let registry: SchemaRegistry;
    let opened: SchemaRegistry[];
    /** Subjects of this test alone: the registry may be one that others use too. */
    let s: string;
    let t: string;

    beforeEach(async () => {
      subject = await make();
      registry = await subject.open();
      opened = [registry];
      [s, t] = [`s_${randomId()}-value`, `t_${randomId()}/ä?&#%-value`];
    });
    afterEach(async () => {
      for (const each of opened) await each.close();
      await subject.dispose();
    });

    /** As another client sees it, or as it is after a restart. */
    async function another(): Promise<SchemaRegistry> {
      if (subject.peer === undefined) await registry.close();
      registry = await (subject.peer === undefined ? subject.open() : subject.peer());
      opened.push(registry);
      return registry;
    }

    test("what is registered is found by id, subject and version", async () => {
      const first = await registry.register(s, one);
      expect(first).toMatchObject({ subject: s, version: 1 });
      expect(first.id).toBeGreaterThan(0);
      expect(JSON.parse(first.schema)).toEqual(JSON.parse(one));
      expect(await registry.register(s, one)).toEqual(first);
      const second = await registry.register(s, two);
      expect(second.version).toBe(2);
      expect(second.id).not.toBe(first.id);
      expect(JSON.parse(await registry.byId(first.id))).toEqual(JSON.parse(one));
      expect(await registry.versions(s)).toEqual([1, 2]);
      expect(await registry.version(s, 1)).toEqual(first);
      expect(await registry.version(s, "latest")).toEqual(second);
      expect(await registry.subjects()).toContain(s);
      expect(await registry.lookup(s, one)).toEqual(first);
      expect(await registry.lookup(s, other)).toBeUndefined();
      expect(await registry.lookup(t, one)).toBeUndefined();
    });

    test("another client finds the same", async () => {
      const first = await registry.register(s, one);
      const client = await another();
      expect(JSON.parse(await client.byId(first.id))).toEqual(JSON.parse(one));
      expect(await client.register(s, one)).toEqual(first);
      expect(await client.version(s, "latest")).toEqual(first);
    });

    test("the same schema has one id under every subject, whatever the subject is called", async () => {
      const first = await registry.register(s, one);
      expect(await registry.register(t, one)).toMatchObject({ subject: t, version: 1, id: first.id });
      expect(await registry.versions(t)).toEqual([1]);
    });

    test("the order of attributes and spaces do not matter", async () => {
      const first = await registry.register(s, one);
      expect(await registry.register(s, oneSpelledOtherwise)).toMatchObject({ version: 1, id: first.id });
    });

    test("what may not follow is refused, with reasons, and changes nothing", async () => {
      await registry.register(s, one);
      await registry.setCompatibility("BACKWARD", s);
      const refused = registry.register(s, three);
      await expect(refused).rejects.toMatchObject({ kind: "conflict", code: "incompatible_schema" });
      expect(await registry.versions(s)).toEqual([1]);
      const reasons = await registry.incompatibilities(s, three);
      expect(reasons).not.toHaveLength(0);
      if (deviations.noReasons !== true) expect(reasons.join()).toMatch(/\bb\b/);
      expect(await registry.incompatibilities(s, three, 1)).not.toHaveLength(0);
      expect(await registry.incompatibilities(s, two)).toEqual([]);
      expect(await registry.incompatibilities(t, three, "latest")).toEqual([]);
    });

    test("compatibility is global or the subject's own", async () => {
      const global = await registry.compatibility();
      await registry.register(s, one);
      const none = deviations.showsGlobalAsOwn === true ? global : undefined;
      expect(await registry.ownCompatibility(s)).toBe(none);
      expect(await registry.compatibility(s)).toBe(global);
      await registry.setCompatibility("NONE", s);
      expect(await registry.ownCompatibility(s)).toBe("NONE");
      expect(await registry.register(s, other)).toMatchObject({ version: 2 });
      await registry.setCompatibility("FULL_TRANSITIVE", s);
      expect(await (await another()).compatibility(s)).toBe("FULL_TRANSITIVE");
      await registry.setCompatibility(undefined, s);
      await registry.setCompatibility(undefined, s);
      expect(await registry.ownCompatibility(s)).toBe(none);
      expect(await registry.compatibility(s)).toBe(global);
    });

    test("transitive compatibility looks at every version", async () => {
      await registry.register(s, one);
      await registry.setCompatibility("NONE", s);
      await registry.register(s, other);
      const bytes = other.replace('"string"', '"bytes"');
      await registry.setCompatibility("BACKWARD", s);
      expect(await registry.incompatibilities(s, bytes)).toHaveLength(deviations.comparesWithAll === true ? 1 : 0);
      await registry.setCompatibility("BACKWARD_TRANSITIVE", s);
      expect(await registry.incompatibilities(s, bytes)).not.toHaveLength(0);
    });

    test("what does not exist is not found", async () => {
      await expect(registry.byId(2_000_000_000)).rejects.toMatchObject({ kind: "not_found", code: "schema_not_found" });
      await expect(registry.byId(2_000_000_000)).rejects.toMatchObject({ code: "schema_not_found" });
      await expect(registry.versions(s)).rejects.toMatchObject({ kind: "not_found", code: "subject_not_found" });
      await expect(registry.version(s, 1)).rejects.toMatchObject({ kind: "not_found", code: "subject_not_found" });
      await expect(registry.deleteSubject(s)).rejects.toMatchObject({ kind: "not_found", code: "subject_not_found" });
      await registry.register(s, one);
      await expect(registry.version(s, 7)).rejects.toMatchObject({ kind: "not_found", code: "version_not_found" });
    });

    test("no Avro schemas and no names are refused", async () => {
      for (const schema of ["{", '{"type":"record","name":"R"}', '"text"']) {
        await expect(registry.register(s, schema)).rejects.toMatchObject({ kind: "invalid", code: "invalid_schema" });
      }
      await expect(registry.register("", one)).rejects.toMatchObject({ kind: "invalid", code: "invalid_subject" });
      await expect(registry.register("a\nb", one)).rejects.toMatchObject({ kind: "invalid", code: "invalid_subject" });
    });

    test("many register the same new schema at once", async () => {
      const clients = subject.peer === undefined ? [registry] : [registry, await another(), await another()];
      const registered = await Promise.all(
        clients.flatMap((client) => [client.register(s, one), client.register(s, one)]),
      );
      expect(new Set(registered.map(({ id }: RegisteredSchema) => id)).size).toBe(1);
      expect(await registry.versions(s)).toEqual([1]);
    });

    test("what was deleted is not told, records of it stay readable", async () => {
      const [first, second] = [await registry.register(s, one), await registry.register(s, two)];
      expect(await registry.deleteVersion(s, 2)).toBe(2);
      expect(await registry.versions(s)).toEqual([1]);
      await expect(registry.version(s, 2)).rejects.toMatchObject({ code: "version_not_found" });
      expect(await registry.lookup(s, two)).toBeUndefined();
      const client = await another();
      expect(JSON.parse(await client.byId(second.id))).toEqual(JSON.parse(two));
      const back = await registry.register(s, two);
      expect(back).toMatchObject({ version: 3, id: second.id });
      expect(await registry.deleteSubject(s)).toEqual([1, 3]);
      expect(await registry.subjects()).not.toContain(s);
      await expect(registry.versions(s)).rejects.toMatchObject({ code: "subject_not_found" });
      expect(await registry.register(s, one)).toMatchObject({ subject: s, id: first.id });
    });

    test("deletion is soft, then permanent", async () => {
      await registry.register(s, one);
      await registry.register(s, two);
      const early = registry.deleteVersion(s, 1, { permanent: true });
      await expect(early).rejects.toMatchObject({ code: "version_not_soft_deleted" });
      await registry.deleteVersion(s, "latest");
      await expect(registry.deleteVersion(s, 2)).rejects.toMatchObject({ code: "version_soft_deleted" });
      expect(await registry.versions(s, { deleted: true })).toEqual([1, 2]);
      expect(await registry.version(s, 2, { deleted: true })).toMatchObject({ version: 2 });
      const subjectEarly = registry.deleteSubject(s, { permanent: true });
      if (deviations.deletesSubjectsAtOnce === true) {
        expect(await subjectEarly).toEqual([1, 2]);
        expect(await registry.subjects({ deleted: true })).not.toContain(s);
        return;
      }
      await expect(subjectEarly).rejects.toMatchObject({ code: "subject_not_soft_deleted" });
      expect(await registry.deleteSubject(s)).toEqual([1]);
      await expect(registry.deleteSubject(s)).rejects.toMatchObject({ code: "subject_soft_deleted" });
      expect(await registry.subjects({ deleted: true })).toContain(s);
      expect(await registry.lookup(s, two, { deleted: true })).toMatchObject({ version: 2 });
      expect(await registry.deleteSubject(s, { permanent: true })).toEqual([1, 2]);
      expect(await registry.subjects({ deleted: true })).not.toContain(s);
    });

    test("a closed registry says so", async () => {
      await registry.close();
      await expect(registry.register(s, one)).rejects.toMatchObject({ kind: "closed" });
      await expect(registry.byId(1)).rejects.toMatchObject({ kind: "closed" });
    });
  });
}
