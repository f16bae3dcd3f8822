import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LineWriter } from './line-writer.ts';

test('line writer: many lines at once: all arrive, in order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-lines-'));
  const fd = openSync(join(folder, 'out'), 'w');
  const writer = new LineWriter(fd);
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} ü`);
  for (const line of lines) writer.write(`${line}\n`);
  await writer.flush();
  closeSync(fd);
  expect(readFileSync(join(folder, 'out'), 'utf8')).toBe(`${lines.join('\n')}\n`);
  rmSync(folder, { recursive: true });
});

const built = JSON.stringify(new URL('../dist/line-writer.js', import.meta.url).href);

test('line writer: the reader has gone: nothing is thrown, the program goes on', () => {
  const program = `
    const { LineWriter } = await import(${built});
    const writer = new LineWriter(1);
    for (let i = 0; i < 1000; i++) writer.write('x'.repeat(1000) + '\\n');
    await writer.flush();
    writer.write('more\\n');
    await writer.flush();
    process.exitCode = 7;`;
  const file = fileURLToPath(new URL('../package.json', import.meta.url));
  const shell = 'exec 3>&1; { "$0" --input-type=module -e "$1"; echo "code $?" >&3; } | true';
  const { stdout } = spawnSync('sh', ['-c', shell, process.execPath, program], {
    encoding: 'utf8',
    cwd: join(file, '..'),
  });
  expect(stdout).toBe('code 7\n');
});

test('line writer: nobody reads: the program is not blocked, and what is too much is counted', async () => {
  const program = `
    const { LineWriter } = await import(${built});
    const writer = new LineWriter(1);
    const line = 'x'.repeat(9_999) + '\\n';
    for (let i = 0; i < 1000; i++) writer.write(line);
    process.stderr.write('not blocked');
    process.stdin.once('data', () => setTimeout(() => { writer.write('last\\n'); process.stdin.unref(); }, 300));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  await new Promise((resolve) => child.stderr.once('data', resolve));
  child.stdin.write('go');
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  await new Promise((resolve) => child.once('close', resolve));
  expect(text).toMatch(/x\n\{"level":"warn","msg":"\d+ lines were dropped"\}\nlast\n$/);
});
