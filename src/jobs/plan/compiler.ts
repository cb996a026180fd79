// Compiles a job's plan to one JavaScript function (by `new Function`) that reads Avro events in place and writes updates to a sink: the embedded
// engine's hot path, held to the interpreter by property tests. Names and literals of users never become code: see compile/source.ts.
import { RdgError } from "../../core/errors.ts";
import type { EventModel, FieldModel, GraphModel, JobModel, SideInputModel } from "../../model/definition.ts";
import type { Emit, Expression } from "../../model/plan.ts";
import type { UpdateSink } from "../../model/update/sink.ts";
import * as bytesRuntime from "./compile/bytes.ts";
import { compileCall } from "./compile/calls.ts";
import { EmitChecks } from "./compile/emit-checks.ts";
import { EmitCompiler } from "./compile/emits.ts";
import { ExpressionCompiler } from "./compile/expressions.ts";
import * as int64Runtime from "./compile/int64.ts";
import { type Layout, layoutOf, pathKey } from "./compile/layout.ts";
import { LoopWriter } from "./compile/loops.ts";
import { and, truth } from "./compile/operand.ts";
import { Scratch } from "./compile/scratch.ts";
import { badPlan, LiteralPool, Source } from "./compile/source.ts";
import { WalkWriter } from "./compile/walk.ts";
import type { CompiledJob } from "./compiled-job.ts";
import { explainResult } from "./explain.ts";
import { filtered, malformedRecord, mapped, timeInFuture } from "./result.ts";
import type { RowReader, SideLookup } from "./side-row.ts";

/** Everything that generated code may call, by the name it calls it. */
const runtime = { ...bytesRuntime, ...int64Runtime };

export interface JobOptions {
  /** The table of a side input; asked once per `enrich` step. */
  side(input: string): SideLookup;
}

/**
 * @throws RdgError invalid, `bad_plan`: names the step or emit that does not fit the definition.
 */
export function compileJob(model: GraphModel, job: JobModel, options: JobOptions): CompiledJob {
  if (job.output.kind !== "emit") throw badPlan(job.event, "A map job has no plan to compile.");
  const event = eventOf(model, job);
  const generated = generate(model, job, job.output.emit, event);
  const counts = { emitted: 0, skipped: 0 };
  const found = { timeMs: Number.NaN, idStart: -1, idEnd: -1 };
  const scope: Record<string, unknown> = {
    ...runtime,
    counts,
    found,
    scratch: new Scratch(),
    literals: generated.literals,
    sides: generated.inputs.map((input) => options.side(input)),
  };
  const functions = instantiate(generated.source, scope);
  return {
    event: event.name,
    counts,
    found,
    ...functions,
    process(bytes, start, end, receivedMs, sink) {
      const result = functions.read(bytes, start, end, receivedMs);
      return result === mapped ? functions.emit(sink) : result;
    },
    explain: (result) => explainResult(result, event, model.skewMaxMs, functions.last()),
    printSource: () => generated.source,
  };
}

export function eventOf(model: GraphModel, job: JobModel): EventModel {
  const event = model.events.find((each) => each.name === job.event);
  if (event === undefined) throw badPlan(job.event, `There is no event ${job.event}.`);
  return event;
}

interface GeneratedFunctions {
  read(bytes: Uint8Array, start: number, end: number, receivedMs: number): number;
  emit(sink: UpdateSink): number;
  last(): LastEvent;
}

export interface LastEvent {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly receivedMs: number;
}

function instantiate(source: string, scope: Record<string, unknown>): GeneratedFunctions {
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- generating code is what this file is for
    return new Function(...Object.keys(scope), source)(...Object.values(scope)) as GeneratedFunctions;
  } catch (cause) {
    throw new RdgError("internal", "generated_code", "The compiler of plans wrote code that does not compile.", {
      cause,
      hint: "Please report this with the job's definition.",
    });
  }
}

interface Generated {
  readonly source: string;
  readonly literals: Uint8Array;
  /** Names of the side inputs, by `enrich` step. */
  readonly inputs: readonly string[];
}

function generate(model: GraphModel, job: JobModel, emits: readonly Emit[], event: EventModel): Generated {
  const head = new Source();
  const walks = new WalkWriter(head);
  const layout = layoutOf(event.fields, wantedPaths(job, emits, event));
  const read = writeRead(head.part(), walks, event, layout, model.skewMaxMs);
  const code = head.part();
  const literals = new LiteralPool();
  const compiler = new ExpressionCompiler(
    { layout, bytes: "b", offsets: "fields", whole: true },
    literals,
    code,
    compileCall,
  );
  const loops = new LoopWriter(compiler, walks, head);
  const checks = new EmitChecks(model, compiler, loops);
  const emit = new EmitCompiler(model, compiler, loops);
  const inputs: string[] = [];
  code.block("function emit(sink)", () => {
    code.line("if (sink !== bound) bind(sink);");
    code.line("const b = lastBytes, time = found.timeMs;");
    code.line("scratch.length = 0;");
    writeSteps(model, job, compiler, head, inputs);
    const { part } = compiler.around(() => checks.write(emits, "emit"));
    if (checks.countsItems) code.line("let items = 0;");
    code.place(part);
    code.line("let emitted = 0, skipped = 0;");
    emit.write(emits, "emit");
    code.line("counts.emitted += emitted;");
    code.line("counts.skipped += skipped;");
    code.line(`return ${mapped};`);
  });
  const whole = new Source();
  whole.line(`const fields = new Int32Array(${layout.size});`);
  whole.line("let lastBytes = literals, lastStart = 0, lastEnd = 0, lastReceivedMs = 0;");
  whole.place(head);
  whole.place(read);
  writeBind(whole, emit.sinks);
  whole.place(code);
  whole.line("const last = () => ({ bytes: lastBytes, start: lastStart, end: lastEnd, receivedMs: lastReceivedMs });");
  whole.line("return { read, emit, last };");
  return { source: `"use strict";\n${whole.toString()}\n`, literals: literals.bytes(), inputs };
}

/** Paths of the event's fields that the plan reads, its time and its id. */
function wantedPaths(job: JobModel, emits: readonly Emit[], event: EventModel): (path: string) => boolean {
  const paths = new Set<string>([pathKey([event.time])]);
  if (event.id !== undefined) paths.add(pathKey([event.id]));
  JSON.stringify([job.steps, emits], (_, value: unknown) => {
    if (isEventField(value)) paths.add(pathKey(value.path));
    return value;
  });
  return (path) => paths.has(path);
}

function isEventField(value: unknown): value is Expression & { readonly kind: "field" } {
  if (typeof value !== "object" || value === null || !("kind" in value) || value.kind !== "field") return false;
  return "scope" in value && "path" in value && (value.scope as { kind: string }).kind === "event";
}

function writeRead(code: Source, walks: WalkWriter, event: EventModel, layout: Layout, skewMaxMs: number): Source {
  const time = layout.slots.get(pathKey([event.time]));
  if (time?.type.kind !== "timestamp" || time.optional) {
    throw badPlan(event.name, `${event.time} is no required timestamp field of ${event.name}.`);
  }
  const id = event.id === undefined ? undefined : layout.slots.get(pathKey([event.id]));
  if (event.id !== undefined && id?.type.kind !== "string")
    throw badPlan(event.name, `${event.id} is no string field of ${event.name}.`);
  code.block("function read(b, p, e, receivedMs)", () => {
    code.line("lastBytes = b; lastStart = p; lastEnd = e; lastReceivedMs = receivedMs;");
    code.line("let n = 0;");
    walks.fields(code, event.fields, layout, "fields", `return ${malformedRecord};`);
    code.line(`if (p !== e) return ${malformedRecord};`);
    code.line(`const time = numberAt(b, fields[${time.index}]);`);
    code.line(`if (time > receivedMs + ${skewMaxMs}) return ${timeInFuture};`);
    code.line("found.timeMs = time;");
    if (id !== undefined) code.line(`found.idStart = fields[${id.index}]; found.idEnd = fields[${id.index + 1}];`);
    code.line(`return ${mapped};`);
  });
  return code;
}

function writeSteps(
  model: GraphModel,
  job: JobModel,
  compiler: ExpressionCompiler,
  head: Source,
  inputs: string[],
): void {
  job.steps.forEach((step, i) => {
    compiler.place = `steps[${i}]`;
    if (step.kind === "where") {
      compiler.code.line(`if (!(${truth(compiler.compile(step.condition))})) return ${filtered};`);
      return;
    }
    const layout = rowLayoutOf(sideInputOf(model, step.input, compiler.place).fields);
    const key = compiler.coerce(compiler.compile(step.key), { kind: "string" });
    if (key.form !== "range") throw badPlan(compiler.place, "The key of a side input is a string.");
    const number = inputs.push(step.input) - 1;
    compiler.code.comment(`enrich ${step.alias} from ${step.input}`);
    head.line(`const side${number} = sides[${number}], noFields${number} = new Int32Array(${layout.size}).fill(-1);`);
    const given = and(key.has, `${key.end} > ${key.start}`);
    const find = `side${number}.find(${key.buffer}, ${key.start}, ${key.end}, lastReceivedMs)`;
    compiler.code.line(`const row${number} = ${given} ? ${find} : undefined;`);
    compiler.code.line(`const rowBytes${number} = row${number} === undefined ? b : row${number}.bytes;`);
    compiler.code.line(
      `const rowFields${number} = row${number} === undefined ? noFields${number} : row${number}.offsets;`,
    );
    compiler.addSide(step.alias, { layout, bytes: `rowBytes${number}`, offsets: `rowFields${number}`, whole: false });
  });
}

function writeBind(code: Source, sinks: ReadonlyMap<string, string>): void {
  const names = [...sinks.keys()];
  code.line(`let ${["bound", ...names].join(", ")};`);
  code.block("function bind(sink)", () => {
    code.line("bound = sink;");
    for (const [name, path] of sinks) code.line(`${name} = ${path};`);
  });
}

function sideInputOf(model: GraphModel, name: string, place: string): SideInputModel {
  const input = model.sideInputs.find((each) => each.name === name);
  if (input === undefined) throw badPlan(place, `There is no side input ${name}.`);
  return input;
}

/** Rows keep the places of all fields, so that all jobs share a table. */
function rowLayoutOf(fields: readonly FieldModel[]): Layout {
  return layoutOf(fields, () => true);
}

/** The reader for the rows of a side input with these fields. */
export function compileRowReader(fields: readonly FieldModel[]): RowReader {
  const head = new Source();
  const walks = new WalkWriter(head);
  const layout = rowLayoutOf(fields);
  const code = head.part();
  code.block("function read(b, p, e, offsets)", () => {
    code.line("let n = 0;");
    walks.fields(code, fields, layout, "offsets", "return false;");
    code.line("return p === e;");
  });
  head.place(code);
  head.line("return { read };");
  const functions = instantiate(`"use strict";\n${head.toString()}\n`, runtime) as unknown as Pick<RowReader, "read">;
  return { offsetCount: layout.size, read: functions.read };
}
