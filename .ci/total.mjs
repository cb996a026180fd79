// Prints "N passed, N failed" over the JSON reports of a folder. A test file that could not be run, a run that failed
// before or beside its tests, and a report that was not written to its end count as one failure each.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
let passed = 0;
let failed = 0;
for (const name of readdirSync(folder)) {
  try {
    const report = JSON.parse(readFileSync(join(folder, name), "utf8"));
    passed += report.numPassedTests;
    const here = report.numFailedTests + report.testResults.filter(couldNotBeRun).length;
    failed += here === 0 && !report.success ? 1 : here;
  } catch {
    failed += 1;
  }
}
console.log(`${passed} passed, ${failed} failed`);

function couldNotBeRun(file) {
  return file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed");
}
