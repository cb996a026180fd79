// Schemas that refer to types of other subjects, made whole: every such type is written where it is first named, so that the text stands for itself.
import { RdgError } from "../../core/errors.ts";

type Json = Readonly<Record<string, unknown>>;

const primitives = new Set(["null", "boolean", "int", "long", "float", "double", "bytes", "string"]);

/**
 * @param schema JSON text
 * @param referred whole schemas by full name
 * @throws RdgError invalid, `invalid_schema` where it is not JSON
 */
export function inlineReferences(schema: string, referred: ReadonlyMap<string, string>): string {
  const defined = new Set<string>();
  const named = new Map<string, unknown>();
  for (const [name, text] of referred) named.set(name, parse(text));

  const nameOf = (node: Json, namespace: string): string => {
    const name = String(node["name"]);
    const space = typeof node["namespace"] === "string" ? node["namespace"] : namespace;
    return name.includes(".") || space === "" ? name : `${space}.${name}`;
  };
  const visit = (node: unknown, namespace: string): unknown => {
    if (typeof node === "string") {
      if (primitives.has(node)) return node;
      const full = node.includes(".") || namespace === "" ? node : `${namespace}.${node}`;
      const found = [full, node].find((name) => !defined.has(name) && named.has(name));
      if (defined.has(full) || found === undefined) return node;
      return visit(withFullName(named.get(found)), "");
    }
    if (Array.isArray(node)) return node.map((branch) => visit(branch, namespace));
    if (typeof node !== "object" || node === null) return node;
    const object = node as Json;
    const { type } = object;
    if (type === "array") return { ...object, items: visit(object["items"], namespace) };
    if (type === "map") return { ...object, values: visit(object["values"], namespace) };
    if (type === "record" || type === "error" || type === "enum" || type === "fixed") {
      const full = nameOf(object, namespace);
      if (defined.has(full)) return full;
      defined.add(full);
      const { fields } = object;
      if (!Array.isArray(fields)) return object;
      const within = full.includes(".") ? full.slice(0, full.lastIndexOf(".")) : "";
      const inner = fields.map((field: Json) => ({ ...field, type: visit(field["type"], within) }));
      return { ...object, fields: inner };
    }
    return { ...object, type: visit(type, namespace) };
  };
  return JSON.stringify(visit(parse(schema), ""));
}

/** A type without a namespace says so, wherever it is written. */
function withFullName(node: unknown): unknown {
  if (typeof node !== "object" || node === null || Array.isArray(node)) return node;
  const object = node as Json;
  if (typeof object["name"] !== "string" || object["name"].includes(".") || "namespace" in object) return node;
  return { ...object, namespace: "" };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RdgError("invalid", "invalid_schema", "A schema of the registry is not JSON.", { cause });
  }
}
