// Writes loops over arrays: those of `each`, and of arrays that are contributed to sets.
import type { ValueType } from "../../../model/definition.ts";
import type { Emit, Expression } from "../../../model/plan.ts";
import type { ExpressionCompiler } from "./expressions.ts";
import { itemLayoutOf } from "./layout.ts";
import { type RangeOperand, typeName } from "./operand.ts";
import { badPlan, type Source } from "./source.ts";
import type { WalkWriter } from "./walk.ts";

export class LoopWriter {
  private readonly compiler: ExpressionCompiler;
  private readonly walks: WalkWriter;
  /** Module level of the generated source: functions and Int32Arrays of items. */
  private readonly functions: Source;
  private readonly itemWalks = new Map<string, string>();
  /** Loops around the code that is being written. */
  depth = 0;

  constructor(compiler: ExpressionCompiler, walks: WalkWriter, functions: Source) {
    this.compiler = compiler;
    this.walks = walks;
    this.functions = functions;
  }

  array(expression: Expression): RangeOperand & { readonly type: ValueType & { readonly kind: "array" } } {
    const operand = this.compiler.compile(expression);
    const { type } = operand;
    if (operand.form !== "range" || type.kind !== "array") {
      throw badPlan(this.compiler.place, `each takes an array, not ${typeName(type)}.`);
    }
    return { ...operand, type };
  }

  each(emit: Emit & { readonly kind: "each" }, place: string, body: () => void): void {
    this.compiler.place = place;
    const array = this.array(emit.array);
    this.loop(array, array.type.item, body);
  }

  /** Runs the body once per item, whose fields it reads as those of the innermost `each`. What the body builds in the scratch buffer goes with the item. */
  loop(array: RangeOperand, type: ValueType, body: () => void): void {
    if (array.has === "false") return;
    const { compiler } = this;
    const layout = itemLayoutOf(type, () => true);
    const name = this.itemWalk(type);
    const [position, left, mark] = [compiler.code.fresh("p"), compiler.code.fresh("left"), compiler.code.fresh("mark")];
    compiler.block(`if (${array.has})`, () => {
      compiler.code.line(`let ${position} = ${array.start}, ${left} = 0;`);
      compiler.block("for (;;)", () => {
        compiler.code.block(`if (${left} === 0)`, () => {
          compiler.code.line(`${position} = blockAt(${array.buffer}, ${position}, ${array.end});`);
          compiler.code.line(`if ((${left} = cursor.value) === 0) break;`);
        });
        compiler.code.line(`${left}--;`);
        compiler.code.line(`${position} = ${name}(${array.buffer}, ${position}, ${array.end});`);
        compiler.code.line(`const ${mark} = scratch.length;`);
        this.depth++;
        compiler.withItem({ layout, bytes: array.buffer, offsets: `${name}Fields`, whole: true }, body);
        this.depth--;
        compiler.code.line(`scratch.length = ${mark};`);
      });
    });
  }

  /** The function that finds an item's fields. Loops at the same depth are never one within the other and share it. */
  private itemWalk(type: ValueType): string {
    const key = `${this.depth} ${JSON.stringify(type)}`;
    const known = this.itemWalks.get(key);
    if (known !== undefined) return known;
    const layout = itemLayoutOf(type, () => true);
    const code = this.functions.part();
    const name = code.fresh("item");
    this.itemWalks.set(key, name);
    code.line(`const ${name}Fields = new Int32Array(${layout.size});`);
    code.block(`function ${name}(b, p, e)`, () => {
      code.line("let n = 0;");
      this.walks.item(code, type, layout, `${name}Fields`, "return -1;");
      code.line("return p;");
    });
    this.functions.place(code);
    return name;
  }
}
