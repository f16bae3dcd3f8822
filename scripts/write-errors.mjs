// Writes docs/errors.md from the one table in packages/core/src/errors.ts; test/house/errors-page.test.ts compares.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorTable } from '@limpet/core';

/** The page, as text. */
export function errorsPage(table) {
  const rows = Object.entries(table)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { fault, retryable, status, text }]) => {
      const cell = text.replaceAll('|', '\\|');
      return `| \`${code}\` | ${fault} | ${retryable ? 'yes' : 'no'} | ${status ?? ''} | ${cell} |`;
    });
  return `# Errors

Every error Limpet reports has a stable code. This page is written by \`npm run docs:errors\` from the table in
[packages/core/src/errors.ts](../packages/core/src/errors.ts); a test compares the two.

*fault*: whose it is: the operator's (command line, configuration, machine), the app's, the client's (the far end of an
HTTP connection), or a state of the cluster. *again*: whether trying again can help. *status*: the HTTP status, where the
error is the answer to a request. Words in braces are filled in.

| code | fault | again | status | text |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

const file = fileURLToPath(new URL('../docs/errors.md', import.meta.url));
if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, errorsPage(errorTable));
