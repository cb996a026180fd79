// Request bodies to Avro records, sorted by partition. Hot path: a record that the fast path reads costs no object and no string; every other record is
// read again by the slow path, so that there is one definition of validity (model/avro/json-record.ts) and two speeds.
import { isUtf8 } from "node:buffer";
import { RdgError } from "../core/errors.ts";
import { keyBytesMax, textBytesMax } from "../model/avro/json-values.ts";
import { type Finding, Findings } from "./findings.ts";
import { type IntakeOptions, RecordIntake } from "./record-intake.ts";
import type { RecordOutput } from "./record-output.ts";
import { skipBlanks } from "./scan.ts";
import { type FastRecord, compileFastRecord } from "./transcoder-source.ts";

export interface TranscoderOptions extends IntakeOptions {
  /** One per partition. May be shared with other transcoders: whoever transcodes takes or resets them before anybody does so again. */
  readonly outputs: readonly RecordOutput[];
  readonly recordBytesMax: number;
  readonly recordsMax: number;
}

const newline = 10;
/** A blank as the generated code takes it: records of lines do not span lines. */
const noNewline = 32;

export class Transcoder {
  readonly outputs: readonly RecordOutput[];
  readonly intake: RecordIntake;
  readonly #options: TranscoderOptions;
  readonly #fast: FastRecord | undefined;
  readonly #bytesMax: number;

  constructor(options: TranscoderOptions) {
    this.#options = options;
    // A text within a record is never longer than the record, so the fast path need not look at the bound on texts.
    this.#bytesMax = Math.min(options.recordBytesMax, textBytesMax);
    this.outputs = options.outputs;
    this.intake = new RecordIntake(options, this.outputs);
    this.#fast = compileFastRecord({ ...options, keyBytesMax });
  }

  get recordBytesMax(): number {
    return this.#bytesMax;
  }

  /** Forgets what no request has taken. */
  reset(): void {
    for (const output of this.outputs) output.reset();
  }

  tooLarge(size: number): Finding {
    return problem("record_too_large", `the record has ${size} bytes, at most ${this.#bytesMax} are allowed`);
  }

  /** An object per line; blank lines are passed over. */
  readLines(body: Buffer, timeMaxMs: number): { readonly findings: Findings; readonly count: number } {
    const findings = new Findings();
    const wellFormed = isUtf8(body);
    let count = 0;
    let p = skipBlanks(body, byteOrderMark(body), newline);
    while (p < body.length) {
      this.#checkCount(++count);
      let next = -1;
      if (wellFormed && this.#fast !== undefined) {
        next = this.#fast(body, p, noNewline, this.outputs, timeMaxMs, this.#bytesMax);
      }
      if (next < 0) {
        next = body.indexOf(newline, p);
        if (next < 0) next = body.length;
        const end = trimmedEnd(body, p, next);
        const problems = this.#readSlowly(body, p, end, timeMaxMs);
        if (problems.length > 0) findings.add(count - 1, p, end, problems);
      }
      p = skipBlanks(body, next, newline);
    }
    return { findings, count };
  }

  /** One object, or an array of objects. @throws RdgError invalid, `bad_json`, when the body as a whole is not JSON */
  readJson(body: Buffer, timeMaxMs: number): { readonly findings: Findings; readonly count: number } {
    if (!isUtf8(body)) throw badJson("it is not UTF-8");
    const findings = new Findings();
    let p = skipBlanks(body, byteOrderMark(body), newline);
    if (body[p] !== 0x5b) {
      p = this.#readElement(body, p, 0, timeMaxMs, findings);
      if (p < body.length) throw badJson(`something follows the value, at byte ${p}`);
      return { findings, count: 1 };
    }
    p = skipBlanks(body, p + 1, newline);
    let count = 0;
    if (body[p] !== 0x5d) {
      for (;;) {
        this.#checkCount(++count);
        p = this.#readElement(body, p, count - 1, timeMaxMs, findings);
        if (body[p] !== 0x2c) break;
        p = skipBlanks(body, p + 1, newline);
      }
    }
    if (body[p] !== 0x5d) throw badJson("the array is not closed");
    p = skipBlanks(body, p + 1, newline);
    if (p < body.length) throw badJson(`something follows the array, at byte ${p}`);
    return { findings, count };
  }

  /** Returns the position of what follows the element, behind blanks. */
  #readElement(body: Buffer, p: number, index: number, timeMaxMs: number, findings: Findings): number {
    const fast = this.#fast;
    let next = fast === undefined ? -1 : fast(body, p, newline, this.outputs, timeMaxMs, this.#bytesMax);
    if (next < 0) {
      next = elementEnd(body, p);
      const end = trimmedEnd(body, p, next);
      const problems = this.#readSlowly(body, p, end, timeMaxMs);
      if (problems.length > 0) {
        if (problems[0]!.code === "bad_json") throw badJson(`record ${index} is not JSON: ${problems[0]!.reason}`);
        findings.add(index, p, end, problems);
      }
    }
    return next;
  }

  #readSlowly(body: Buffer, start: number, end: number, timeMaxMs: number): readonly Finding[] {
    if (end - start > this.#bytesMax) return [this.tooLarge(end - start)];
    const bytes = body.subarray(start, end);
    if (!isUtf8(bytes)) return [problem("bad_utf8", "the record is not UTF-8")];
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString("utf8"));
    } catch (error) {
      return [problem("bad_json", (error as Error).message)];
    }
    return this.intake.accept(value, timeMaxMs);
  }

  #checkCount(count: number): void {
    if (count <= this.#options.recordsMax) return;
    throw new RdgError(
      "invalid",
      "too_many_records",
      `The request has more than ${this.#options.recordsMax} records.`,
      {
        hint: "Send them in several requests.",
      },
    );
  }
}

function byteOrderMark(body: Buffer): number {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
}

function trimmedEnd(body: Buffer, start: number, end: number): number {
  while (end > start) {
    const c = body[end - 1];
    if (c !== 32 && c !== 9 && c !== 13 && c !== newline) break;
    end--;
  }
  return end;
}

/** Where the array's element that begins at `p` ends: at a `,` or `]` outside texts and brackets, or with the bytes. */
function elementEnd(body: Buffer, p: number): number {
  let depth = 0;
  for (; p < body.length; p++) {
    const c = body[p]!;
    if (c === 0x22) {
      for (p++; p < body.length && body[p] !== 0x22; p++) if (body[p] === 0x5c) p++;
    } else if (c === 0x7b || c === 0x5b) {
      depth++;
    } else if (c === 0x7d || c === 0x5d) {
      if (depth === 0) return p;
      depth--;
    } else if (c === 0x2c && depth === 0) {
      return p;
    }
  }
  return body.length;
}

function problem(code: string, reason: string): Finding {
  return { field: "", code, reason };
}

function badJson(what: string): RdgError {
  return new RdgError("invalid", "bad_json", `The request's body is not JSON: ${what}.`, {
    hint: "Send one object, an array of objects, or an object per line as application/x-ndjson.",
  });
}
