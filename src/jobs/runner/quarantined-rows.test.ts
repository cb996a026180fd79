// Records that are no rows are kept once, whoever meets them and however often.
import { expect, test } from "vitest";
import { freshDisk, openOn } from "../../../test/log/opened.ts";
import type { Log } from "../../log/port.ts";
import { decodeQuarantineRecord, type QuarantineRecord } from "../../model/quarantine.ts";
import { QuarantinedRows } from "./quarantined-rows.ts";

const topic = "quarantine.inputs.film";

const bad = (offset: number, bytes = 3): QuarantineRecord => ({
  stage: "inputs.film",
  code: "malformed_record",
  message: "no",
  topic: "inputs.film",
  partition: 1,
  offset,
  receivedMs: 5,
  bytes: new Uint8Array(bytes),
});

async function offsetsIn(log: Log): Promise<unknown[]> {
  const offsets: unknown[] = [];
  for await (const { count, values } of log.read({ topics: [topic], until: [] })) {
    for (let i = 0; i < count; i++) {
      offsets.push(decodeQuarantineRecord(values.bytes.subarray(values.starts[i], values.starts[i + 1])).offset);
    }
  }
  return offsets;
}

test("several workers, at once and after starts", async () => {
  const opened = freshDisk();
  const log = await openOn(opened);
  await log.ensureTopics([{ name: topic, form: "records", partitions: 1, retention: {} }]);
  const worker = (name: string): QuarantinedRows => {
    const producer = log.producer(name);
    return new QuarantinedRows({ input: "film", log, producer: () => producer });
  };
  const [one, two] = [worker("one"), worker("two")];
  await Promise.all([one.add([bad(3), bad(7)]), two.add([bad(3), bad(7)])]);
  expect(await offsetsIn(log)).toEqual([3, 7]);
  // Read again in other pieces, long after the log has forgotten who has appended what.
  opened.time.advance(2 * 3_600_000);
  await two.add([bad(7), bad(9, 800_000), bad(10, 800_000), bad(11)]);
  await one.add([bad(3)]);
  await worker("three").add([bad(7), bad(9), bad(11)]);
  expect(await offsetsIn(log)).toEqual([3, 7, 9, 10, 11]);
  await log.close();
});
