import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

describe('package', () => {
  const run = promisify(execFile);
  const limpet = fileURLToPath(new URL('../../limpet/', import.meta.url));
  const use = `
    const app = session();
    const server = require('node:http').createServer((req, res) => app(req, res, () => { req.session.n = 1; res.end('ok'); }));
    server.listen(0, async () => {
      const answer = await fetch('http://127.0.0.1:' + server.address().port, { headers: { connection: 'close' } });
      console.log(await answer.text(), answer.headers.getSetCookie().length);
      server.close();
    });`;

  test.each([
    [
      'import',
      [
        '--input-type=module',
        '-e',
        `import { session } from 'limpet'; import { createRequire } from 'node:module'; const require = createRequire('/');${use}`,
      ],
    ],
    ['require', ['-e', `const { session } = require('limpet');${use}`]],
  ])('package: %s in a small program: works, and the process ends by itself', async (_, args) => {
    const { stdout, stderr } = await run(process.execPath, args, { cwd: limpet, timeout: 15_000 });
    expect([stdout, stderr]).toEqual(['ok 1\n', '']);
  });
});
