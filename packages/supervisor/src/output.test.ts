import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OutputFile } from './output.ts';
import { StartOutput } from './start-output.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('output', () => {
  test('following: lines as they are finished, across reads and characters, none from before', () => {
    const path = join(folder, 'n1.log');
    writeFileSync(path, 'from an earlier start\n');
    const lines: string[] = [];
    const file = new OutputFile(path, (line) => lines.push(line));
    const bytes = Buffer.from('one\ntw\u00f6\r\nthr');
    appendFileSync(path, bytes.subarray(0, 7));
    file.follow();
    expect(lines).toEqual(['one']);
    appendFileSync(path, bytes.subarray(7));
    file.follow();
    expect(lines).toEqual(['one', 'tw\u00f6']);
    file.finish();
    file.close();
    expect(lines).toEqual(['one', 'tw\u00f6', 'thr']);
  });

  test('following: a line without an end: shown in pieces, not kept for ever', () => {
    const path = join(folder, 'n1.log');
    const lines: string[] = [];
    const file = new OutputFile(path, (line) => lines.push(line));
    appendFileSync(path, 'x'.repeat(20_000));
    file.follow();
    file.close();
    expect(lines.every((line) => line.length === 8 * 1024)).toBe(true);
    expect(lines).toHaveLength(2);
  });

  test('size: above its bound: the file begins anew, nothing that was written is missed', async () => {
    const path = join(folder, 'n1.log');
    const lines: string[] = [];
    const file = new OutputFile(path, (line) => lines.push(line), 1_000);
    for (let number = 0; number < 100; number++) appendFileSync(path, `line ${number} ${'.'.repeat(20)}\n`);
    file.follow();
    await vi.waitFor(() => expect(statSync(path).size).toBe(0));
    expect(existsSync(`${path}.1`)).toBe(true);
    appendFileSync(path, 'after\n');
    file.follow();
    file.close();
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe('after');
  });
});

describe('output of a start', () => {
  const failure = ['file:///app.js:7', '', `Error: no ledger (pid ${4_711})`, '    at app.js:7'];

  test('failing again and again with the same words: shown once', () => {
    const shown: string[] = [];
    const output = new StartOutput((node, line) => shown.push(`${node} ${line}`));
    for (const node of ['n1', 'n2', 'n1', 'n2']) {
      const held = output.begin(node);
      for (const line of failure) held.line(line.replace('4711', String(shown.length)));
      held.fail();
      expect(held.reason()).toMatch(/^Error: no ledger/);
    }
    expect(shown).toHaveLength(failure.length);
  });

  test('failing with other words: shown too', () => {
    const shown: string[] = [];
    const output = new StartOutput((_, line) => shown.push(line));
    for (const word of ['ledger', 'network']) {
      const held = output.begin('n1');
      held.line(`TypeError [ERR_X]: no ${word}`);
      held.fail();
    }
    expect(shown).toEqual(['TypeError [ERR_X]: no ledger', 'TypeError [ERR_X]: no network']);
  });

  test('ready: what was held back is shown, then everything as it comes', () => {
    const shown: string[] = [];
    const held = new StartOutput((_, line) => shown.push(line)).begin('n1');
    held.line('listening');
    expect(shown).toEqual([]);
    held.release();
    held.line('served');
    expect(shown).toEqual(['listening', 'served']);
    expect(held.reason()).toBeNull();
  });
});
