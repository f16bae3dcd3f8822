// Sums vitest's JSON reports for .ci/run: names what failed, counts a skipped test as failed, and ends with
// `N passed, N failed` on a line of its own. Other steps are told as `--step name=0|1` (exit code).
import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
const fail = (text) => {
  failed += 1;
  console.log(`  failed: ${text}`);
};

function countReport(path) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return fail(`no report ${path}: ${error.message}`);
  }
  for (const file of report.testResults) {
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed += 1;
      else fail(`${test.fullName} (${test.status})`);
    }
    // A file that could not be loaded has no tests and would else go unnoticed.
    if (file.status === 'failed' && file.assertionResults.length === 0) fail(`${file.name}: ${file.message}`);
  }
  if (report.testResults.length === 0) fail(`${path}: no test ran`);
}

const args = process.argv.slice(2);
for (let i = 0; i < args.length; i += 1) {
  if (args[i] !== '--step') {
    countReport(args[i]);
    continue;
  }
  i += 1;
  const [, name, code] = /^(.*)=(\d+)$/.exec(args[i]) ?? [null, args[i], '1'];
  if (code === '0') passed += 1;
  else fail(`${name} (exit code ${code})`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
