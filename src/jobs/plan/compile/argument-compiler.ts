// The shape of what compiles a call whose arguments are all computed first.
import type { FunctionName } from "../../../model/plan.ts";
import type { Call, ExpressionCompiler } from "./expressions.ts";
import type { Operand } from "./operand.ts";

export type ArgumentCompiler = (compiler: ExpressionCompiler, args: readonly Operand[], call: Call) => Operand;
export type ArgumentCompilers = Partial<Record<FunctionName, ArgumentCompiler>>;
