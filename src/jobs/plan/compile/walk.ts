// Generates the one pass over a record's bytes: verifies every byte of it against the definition and leaves the positions of wanted fields.
import { itemsMax, textBytesMax } from "../../../model/avro/json-values.ts";
import type { FieldModel, ValueType } from "../../../model/definition.ts";
import { type Layout, pathKey, type Slot } from "./layout.ts";
import { badPlan, type Source } from "./source.ts";

/**
 * Walks use the locals `b` (bytes), `p` (position), `e` (end), `n`; `out` names the Int32Array of the layout. Functions for arrays and maps are
 * generated once per type into `functions`, named `array1`, `map2` ...
 */
export class WalkWriter {
  private readonly functions: Source;
  private readonly collections = new Map<string, string>();

  constructor(functions: Source) {
    this.functions = functions;
  }

  /** `fail` is the statement for a malformed record. */
  fields(code: Source, fields: readonly FieldModel[], layout: Layout, out: string, fail: string): void {
    this.record(code, fields, [], { layout, out, fail });
  }

  /** An item of an array: a value without a name. */
  item(code: Source, type: ValueType, layout: Layout, out: string, fail: string): void {
    this.value(code, type, [], { layout, out, fail });
  }

  private record(code: Source, fields: readonly FieldModel[], path: readonly string[], target: Target): void {
    // Every value takes at least a byte, so that an array cannot hold more items than the record has bytes.
    if (fields.length === 0) throw badPlan(path.join("."), "A record has no fields.");
    for (const field of fields) {
      const inner = [...path, field.name];
      code.comment(inner.join("."));
      if (field.optional) this.optional(code, field.type, inner, target);
      else this.value(code, field.type, inner, target);
    }
  }

  private optional(code: Source, type: ValueType, path: readonly string[], target: Target): void {
    code.line(`if (p >= e) ${target.fail}`);
    code.line("if ((n = b[p++]) > 127) {");
    code.line(`  if ((p = smallAt(b, p - 1, e, 1)) < 0) ${target.fail}`);
    code.line("  n = cursor.value * 2;");
    code.line("}");
    code.block("if (n === 2)", () => this.value(code, type, path, target));
    code.otherwise(() => {
      code.line(`if (n !== 0) ${target.fail}`);
      for (const index of slotsWithin(target.layout, path)) code.line(`${target.out}[${index}] = -1;`);
    });
  }

  private value(code: Source, type: ValueType, path: readonly string[], target: Target): void {
    const slot = target.layout.slots.get(pathKey(path));
    const keep = (offset: number, value: string): void => {
      if (slot !== undefined) code.line(`${target.out}[${slot.index + offset}] = ${value};`);
    };
    switch (type.kind) {
      case "string":
      case "bytes":
        writeLength(code, target.fail);
        if (type.kind === "string") code.line(`if (!isText(b, p, p + n)) ${target.fail}`);
        keep(0, "p");
        code.line("p += n;");
        return keep(1, "p");
      case "boolean":
        code.line(`if (p >= e || (n = b[p++]) > 1) ${target.fail}`);
        return keep(0, "n");
      case "enum":
        writeSmall(code, type.symbols.length - 1, target.fail);
        if (type.symbols.length < 64) code.line(`if (n >= ${type.symbols.length}) ${target.fail}`);
        return keep(0, "n");
      case "double":
        code.line(`if (e - p < 8 || ((b[p + 7] & 0x7f) === 0x7f && (b[p + 6] & 0xf0) === 0xf0)) ${target.fail}`);
        keep(0, "p");
        return code.line("p += 8;");
      case "int32":
        keep(0, "p");
        return code.line(`if ((p = skipInt32(b, p, e)) < 0) ${target.fail}`);
      case "int64":
        keep(0, "p");
        return code.line(`if ((p = skipInt64(b, p, e)) < 0) ${target.fail}`);
      case "timestamp":
        keep(0, "p");
        return code.line(`if ((p = timestampAt(b, p, e)) < 0) ${target.fail}`);
      case "array":
      case "map":
        keep(0, "p");
        code.line(`if ((p = ${this.collection(type)}(b, p, e)) < 0) ${target.fail}`);
        return keep(1, "p");
      case "record":
        keep(0, "p");
        this.record(code, type.fields, path, target);
        return keep(1, "p");
    }
  }

  /** The function that verifies an array or map and returns the position behind it, or -1. */
  private collection(type: ValueType & { readonly kind: "array" | "map" }): string {
    const key = JSON.stringify(type);
    const known = this.collections.get(key);
    if (known !== undefined) return known;
    const name = this.functions.fresh(type.kind);
    this.collections.set(key, name);
    const item = type.kind === "array" ? type.item : type.value;
    const code = this.functions.part();
    const target: Target = { layout: { slots: new Map(), size: 0 }, out: "", fail: "return -1;" };
    code.block(`function ${name}(b, p, e)`, () => {
      code.line("let n = 0, total = 0;");
      code.block("for (;;)", () => {
        code.line("if ((p = blockAt(b, p, e)) < 0) return -1;");
        code.line("let left = cursor.value;");
        code.line("if (left === 0) return p;");
        code.line(`if ((total += left) > ${itemsMax}) return -1;`);
        code.line("const stop = cursor.size < 0 ? -1 : p + cursor.size;");
        code.block("for (; left > 0; left--)", () => {
          if (type.kind === "map") this.value(code, { kind: "string" }, ["key"], target);
          this.value(code, item, [], target);
        });
        code.line("if (stop >= 0 && p !== stop) return -1;");
      });
    });
    this.functions.place(code);
    return name;
  }
}

interface Target {
  readonly layout: Layout;
  readonly out: string;
  readonly fail: string;
}

/** First numbers of the slots of a field and of all fields within it. */
function slotsWithin(layout: Layout, path: readonly string[]): number[] {
  const within = (key: string): boolean => {
    const other = JSON.parse(key) as string[];
    return other.length >= path.length && path.every((name, i) => other[i] === name);
  };
  return [...layout.slots].filter(([key]) => within(key)).map(([, slot]: [string, Slot]) => slot.index);
}

/** A number from 0 to `most` into `n`; in the usual case it is one byte, and then `most` is not checked. */
function writeSmall(code: Source, most: number, fail: string): void {
  code.line(`if (p >= e) ${fail}`);
  code.line("if (((n = b[p++]) & 129) === 0) n >>= 1;");
  code.line(`else if ((p = smallAt(b, p - 1, e, ${most})) < 0) ${fail}`);
  code.line("else n = cursor.value;");
}

function writeLength(code: Source, fail: string): void {
  writeSmall(code, textBytesMax, fail);
  code.line(`if (n > e - p) ${fail}`);
}
