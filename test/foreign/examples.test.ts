// The examples of docs/http.md are run as they stand, in order, against a real server; what they print is compared with what stands below them: every member
// that is told there is in the answer, lists have as many items.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { run } from "./run.ts";
import { type StreamingServer, startStreaming } from "./streaming-server.ts";

interface Example {
  readonly language: string;
  readonly code: string;
  /** What stands below it. */
  readonly expected: { readonly form: string; readonly text: string };
  readonly line: number;
}

const page = readFileSync(fileURLToPath(new URL("../../docs/http.md", import.meta.url)), "utf8");

function examplesOf(markdown: string): Example[] {
  const found: Example[] = [];
  for (const match of markdown.matchAll(/^```(bash|python) run\n(.*?)^```\n\n```(json|text)\n(.*?)^```$/gms)) {
    const [, language, code, form, text] = match;
    const line = markdown.slice(0, match.index).split("\n").length;
    found.push({ language: language!, code: code!, expected: { form: form!, text: text! }, line });
  }
  return found;
}

const examples = examplesOf(page);

let server: StreamingServer | undefined;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-examples-"));
  server = await startStreaming(0);
});

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Values of JSON that stand one after the other. */
function valuesIn(text: string): unknown[] {
  const values: unknown[] = [];
  let rest = text.trim();
  for (let end = 1; rest !== ""; end++) {
    const isEnd = rest[end - 1] === "}" || rest[end - 1] === "]";
    const value = isEnd ? parsed(rest.slice(0, end)) : undefined;
    if (value !== undefined) {
      values.push(value);
      rest = rest.slice(end).trim();
      end = 0;
    } else if (end > rest.length) throw new Error(`This is not JSON: ${rest}`);
  }
  return values;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe("docs/http.md", () => {
  test("marks all of its examples, and says what they print", () => {
    expect(examples.length).toBe([...page.matchAll(/^```(?:bash|python)/gm)].length);
    expect(examples.length).toBeGreaterThan(8);
  });

  for (const { language, code, expected, line } of examples) {
    test(`the ${language} example of line ${line} prints what stands below it`, async () => {
      const python = inject("python");
      const command = language === "bash" ? "bash" : python;
      const ran = await run(command, [...(language === "bash" ? ["-euo", "pipefail"] : []), "-c", code], {
        timeoutMs: 30_000,
        cwd: folder,
        env: { RDG: server!.url },
      });
      expect(ran.code, ran.output).toBe(0);
      if (expected.form === "text") expect(ran.stdout).toContain(expected.text.trim());
      else expect(valuesIn(ran.stdout)).toMatchObject(valuesIn(expected.text) as object[]);
    });
  }
});
