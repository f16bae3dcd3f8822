import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commands } from './cli.ts';
import { formatCommandHelp } from './help.ts';
import { environmentOf, flagOf, optionNames, options } from './options.ts';

const bin = fileURLToPath(new URL('../bin/limpet.js', import.meta.url));
const built = existsSync(fileURLToPath(new URL('../dist/cli.js', import.meta.url)));
let folder = '';
beforeAll(() => {
  expect(built, 'npm run build comes first').toBe(true);
  folder = mkdtempSync(join(tmpdir(), 'limpet-cli-'));
  writeFileSync(join(folder, 'app.mjs'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function limpet(...args: string[]) {
  const { LIMPET_PORT: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('command line: --version and help: on standard output, exit 0', () => {
  expect(limpet('--version')).toEqual({ status: 0, stdout: '0.1.0\n', stderr: '' });
  const { status, stdout, stderr } = limpet();
  expect([status, stderr]).toEqual([0, '']);
  for (const { name } of commands) expect(stdout).toContain(`limpet ${name}`);
});

test('command line: every command: --help has examples, and exit 0', () => {
  for (const { name } of commands) {
    const { status, stdout } = limpet(name, '--help');
    expect([name, status]).toEqual([name, 0]);
    expect(stdout).toContain('Examples');
    // A drill has a cluster of its own, everyone else finds one.
    expect(stdout.includes('--run-dir')).toBe(name !== 'drill');
  }
});

test('command line: help of start: lists every option with flag, variable, default and range, in 100 columns', () => {
  const start = commands.find(({ name }) => name === 'start');
  const text = start === undefined ? '' : formatCommandHelp(start);
  const flat = text.replace(/\s+/g, ' ');
  for (const name of optionNames) {
    expect(flat).toContain(`${flagOf(name)} ${options[name].reader.placeholder}`);
    expect(flat).toContain(environmentOf(name));
    expect(flat).toContain(`allowed: ${options[name].reader.allowed}`);
  }
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
});

test('command line: a misspelt command or option: a suggestion, exit 2', () => {
  const command = limpet('statsu');
  expect([command.status, command.stdout]).toEqual([2, '']);
  expect(command.stderr).toBe('limpet: unknown command statsu: did you mean status? [LIMPET_USAGE]\n');
  const option = limpet('start', 'app.mjs', '--prot', '80', '--nodes', '0');
  expect(option.status).toBe(2);
  expect(option.stderr).toContain('  - unknown option --prot: did you mean --port?\n  - --nodes is 0: a whole number');
});

test('command line: missing, surplus and wrong words: named, exit 2', () => {
  expect(limpet('start').stderr).toContain('limpet start needs a file: limpet start <file>');
  expect(limpet('status', 'n1').stderr).toContain('"n1" is one word too many');
  expect(limpet('kill', 'two').stderr).toContain('"two" is no node: nodes are called n1, n2, …');
  expect(limpet('kill', 'n2', '--signal', 'KIL').stderr).toContain('did you mean SIGKILL?');
  const missing = limpet('start', 'ap.mjs');
  expect([missing.status, missing.stderr]).toEqual([
    2,
    'limpet: cannot start ap.mjs: there is no such file: did you mean app.mjs? [LIMPET_APP_FILE]\n',
  ]);
});

test('command line: no cluster in the run directory: exit 1, and JSON where JSON was asked for', () => {
  for (const [name, ...words] of [['status'], ['stop'], ['session'], ['kill', 'n1']]) {
    const { status, stderr } = limpet(name ?? '', ...words);
    expect([name, status]).toEqual([name, 1]);
    expect(stderr).toContain('LIMPET_NO_CLUSTER');
  }
  const { status, stdout } = limpet('status', '--json');
  expect([status, JSON.parse(stdout).error.code]).toEqual([1, 'LIMPET_NO_CLUSTER']);
});

test('check: good settings: resolved with their origin, exit 0', () => {
  const { status, stdout } = limpet('check', 'app.mjs', '--port', '81', '--json');
  expect(status).toBe(0);
  const found = JSON.parse(stdout);
  expect(found.app).toMatch(/app\.mjs$/);
  expect([found.settings.port, found.origins.port, found.origins.nodes]).toEqual([81, 'flag', 'default']);
  expect(limpet('check').stdout).toMatch(/^port +8080 +default$/m);
});

test('check: bad settings: all problems, exit 2', () => {
  const { status, stderr } = limpet('check', '--copies', '9', '--trust-proxy', 'moon');
  expect(status).toBe(2);
  expect(stderr).toContain('--copies is 9');
  expect(stderr).toContain('--trust-proxy is moon');
});
