// A result that branches of the generated code assign: of `choose`, `orElse`, `mapEnum`.
import type { ValueType } from "../../../model/definition.ts";
import { coerce, type WriteContext } from "./coerce.ts";
import { formOf, type Operand } from "./operand.ts";

/** A result that is decided at run time: 0 absent, 1 null, 2 value. */
export class Variable {
  private readonly context: WriteContext;
  private readonly type: ValueType;
  private readonly state: string;
  private readonly names: readonly string[];
  private nullable = false;
  private bytesMax = 0;

  constructor(context: WriteContext, type: ValueType) {
    this.context = context;
    this.type = type;
    const { code } = context;
    this.state = code.fresh("s");
    const form = formOf(type);
    this.names = form === "range" ? [code.fresh("b"), code.fresh("f"), code.fresh("t")] : [code.fresh("v")];
    const initial = form === "range" ? ["b", "0", "0"] : [form === "number" ? "0" : "false"];
    code.line(`let ${this.state} = 0, ${this.names.map((name, i) => `${name} = ${initial[i]}`).join(", ")};`);
  }

  assign(operand: Operand): void {
    const value = coerce(this.context, operand, this.type);
    const { code } = this.context;
    if (value.isNull !== "false") this.nullable = true;
    if (value.has === "false") {
      if (value.isNull !== "false") code.line(`${this.state} = ${value.isNull} ? 1 : 0;`);
      return;
    }
    const sources = value.form === "range" ? [value.buffer, value.start, value.end] : [value.value];
    if (value.form === "range") this.bytesMax = Math.max(this.bytesMax, value.bytesMax ?? Number.POSITIVE_INFINITY);
    const none = value.isNull === "false" ? "0" : `${value.isNull} ? 1 : 0`;
    code.line(`${this.state} = ${value.has === "true" ? "2" : `${value.has} ? 2 : ${none}`};`);
    code.line(this.names.map((name, i) => `${name} = ${sources[i]};`).join(" "));
  }

  /** Only the value: its absence and null leave the variable unset. */
  assignValue(operand: Operand): void {
    this.assign({ ...operand, isNull: "false" });
  }

  get unset(): string {
    return `${this.state} !== 2`;
  }

  result(): Operand {
    const [first, start, end] = this.names as readonly [string, string, string];
    const presence = {
      type: this.type,
      has: `${this.state} === 2`,
      isNull: this.nullable ? `${this.state} === 1` : "false",
    };
    const form = formOf(this.type);
    if (form !== "range") return { form, ...presence, value: first };
    const bound = Number.isFinite(this.bytesMax) ? { bytesMax: this.bytesMax } : {};
    return { form, ...presence, buffer: first, start, end, ...bound };
  }
}
