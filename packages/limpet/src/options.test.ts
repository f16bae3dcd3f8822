import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ConfigFile } from './config-file.ts';
import { formatDuration, isNetwork, splitWords } from './option-readers.ts';
import { environmentOf, flagOf, optionNames, options } from './options.ts';
import { loadSettings, resolveOptions } from './resolve-options.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet-options-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const flagsOf = (flags: Record<string, string | string[]>) =>
  new Map(Object.entries(flags).map(([name, value]) => [name, [value].flat()]));
const fileOf = (values: Record<string, unknown>): ConfigFile => ({
  path: '/a/limpet.config.json',
  folder: '/a',
  values,
});
const resolve = (
  flags: Record<string, string | string[]> = {},
  environment: Record<string, string> = {},
  file: ConfigFile | null = null,
) => resolveOptions({ flags: flagsOf(flags), environment, file, folder: '/srv' });

test('options: nothing given: every default is allowed by its own option', () => {
  const { settings, origins, problems } = resolve();
  expect(problems).toEqual([]);
  expect(new Set(Object.values(origins))).toEqual(new Set(['default']));
  expect(settings).toMatchObject({ nodes: 4, port: 8080, adminPort: 9090, copies: 2, cookie: 'JSESSIONID' });
  expect(settings).toMatchObject({ deadline: 10_000, idle: 1_800_000, absolute: 43_200_000, runDir: '/srv/.limpet' });
  expect(settings).toMatchObject({ sessionHeader: null, log: null, nodeArgs: [], trustProxy: [], envFile: [] });
  for (const name of optionNames) expect(settings[name], name).not.toBe(undefined);
});

test('options: given everywhere: flag before environment before file before default', () => {
  const file = fileOf({ port: 1, nodes: 1, copies: 1 });
  const environment = { LIMPET_PORT: '2', LIMPET_NODES: '2' };
  const { settings, origins } = resolve({ '--port': '3' }, environment, file);
  expect([settings.port, settings.nodes, settings.copies, settings.balancers]).toEqual([3, 2, 1, 1]);
  expect([origins.port, origins.nodes, origins.copies, origins.balancers]).toEqual([
    'flag',
    'environment',
    'file',
    'default',
  ]);
});

test('options: several mistakes: all are reported, each with its value, its place and what is allowed', () => {
  const file = fileOf({ copies: 4, admin_port: 1, trustProxy: ['10.0.0.0/33'] });
  const { problems } = resolve({ '--nodes': '0', '--idle': 'soon' }, { LIMPET_PORT: '70000', LIMPET_NODSE: '4' }, file);
  expect(problems).toEqual([
    'unknown key "admin_port" in /a/limpet.config.json: did you mean adminPort?',
    'unknown variable LIMPET_NODSE (environment): did you mean LIMPET_NODES?',
    '--nodes is 0: a whole number from 1 to 256, or auto (as many as the machine runs at once)',
    'LIMPET_PORT (environment) is 70000: a whole number from 0 to 65535',
    '"copies" in /a/limpet.config.json is 4: a whole number from 1 to 3',
    '"trustProxy" in /a/limpet.config.json is ["10.0.0.0/33"]: addresses or networks such as 10.0.0.0/8, ::1 or loopback, with commas between them',
    '--idle is soon: a time from 1s to 8760h, such as 500ms, 10s, 30m or 12h',
  ]);
});

test('options: idle above absolute: refused', () => {
  const idle = resolve({ '--idle': '2h', '--absolute': '60m' }).problems;
  expect(idle).toEqual(['idle (2h) is longer than absolute (1h): a session would never end by being idle']);
});

test('options: variables of a worker and of others: not taken for misspelt options', () => {
  const environment = {
    LIMPET_NODE: 'n1',
    LIMPET_RUN: '{}',
    LIMPET_APP_VERSION: 'v1',
    LIMPET_GREETING_OF_THE_APP: 'hi',
  };
  expect(resolve({}, environment).problems).toEqual([]);
});

test('options: an empty variable: counts as unset', () => {
  expect(resolve({}, { LIMPET_PORT: '' }).settings.port).toBe(8080);
});

test('options: values of every kind: read as meant', () => {
  const { settings, problems } = resolve({
    '--nodes': 'auto',
    '--trust-proxy': ['10.0.0.0/8, ::1', 'loopback'],
    '--node-args': `--title="a b" --max-old-space-size=64`,
    '--env-file': ['a.env', '/b.env'],
    '--deadline': '2.5s',
    '--log': 'json',
  });
  expect(problems).toEqual([]);
  expect(settings.nodes).toBe(Math.min(256, availableParallelism()));
  expect(settings.trustProxy).toEqual(['10.0.0.0/8', '::1', 'loopback']);
  expect(settings.nodeArgs).toEqual(['--title=a b', '--max-old-space-size=64']);
  expect(settings.envFile).toEqual(['/srv/a.env', '/b.env']);
  expect([settings.deadline, settings.log]).toEqual([2500, 'json']);
});

test('options: paths in a file: relative to its folder', () => {
  expect(resolve({}, {}, fileOf({ runDir: 'run' })).settings.runDir).toBe('/a/run');
});

test('options: a command that wants a few: mistakes in the others do not matter to it', () => {
  const sources = { flags: flagsOf({}), environment: { LIMPET_PORT: 'x' }, file: null, folder: '/srv' };
  expect(resolveOptions(sources, ['runDir']).problems).toEqual([]);
});

test('options: configuration files: .json and .mjs are found, both at once or a broken one are problems', async () => {
  const load = (flags: Record<string, string> = {}) =>
    loadSettings({ flags: flagsOf(flags), environment: {}, folder, problems: [] });
  writeFileSync(join(folder, 'limpet.config.mjs'), 'export default { port: 1234 };');
  expect((await load()).settings.port).toBe(1234);
  writeFileSync(join(folder, 'limpet.config.json'), '{ "port": 1 ');
  await expect(load()).rejects.toThrow('keep one, or name it with --config');
  await expect(load({ '--config': 'limpet.config.json' })).rejects.toThrow(
    /limpet\.config\.json cannot be used: .*JSON/,
  );
  await expect(load({ '--config': 'none.json', '--port': 'x' })).rejects.toThrow(
    /none\.json cannot be used: there is no such file\n {2}- --port is x/,
  );
});

test('options: small readers: as they say', () => {
  expect(['::1', '10.0.0.0/8', '10.0.0.0/33', 'a', '1.2.3.4/', '::/129'].map(isNetwork)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  expect(splitWords(`a 'b c' --d="e f" ""`)).toEqual(['a', 'b c', '--d=e f', '']);
  expect(splitWords(`a "b`)).toBe(undefined);
  expect([90_000, 3_600_000, 250, 60_000].map(formatDuration)).toEqual(['90s', '1h', '250ms', '1m']);
});

test('options: hang-kill: 0 is never, and no time so short that an ordinary page would be killed', () => {
  const { settings } = resolve({ '--hang-kill': '0' });
  expect(settings.hangKill).toBe(0);
  expect(resolve().settings.hangKill).toBe(30_000);
  expect(resolve({ '--hang-kill': '500ms' }).problems).toEqual([
    '--hang-kill is 500ms: 0 for never, or a time from 2s to 1h, such as 500ms, 10s, 30m or 12h',
  ]);
});

test('options: names: one key gives flag and variable', () => {
  expect([flagOf('adminPort'), environmentOf('adminPort')]).toEqual(['--admin-port', 'LIMPET_ADMIN_PORT']);
  for (const name of optionNames) expect(options[name].means, name).toMatch(/\.$/);
});

test('options: routes that may be run again: every wrong one is reported with its reason', () => {
  const right = resolve({ '--replayable': ['POST /cart/*', 'PATCH /profile'] });
  expect([right.problems, right.settings.replayable]).toEqual([[], ['POST /cart/*', 'PATCH /profile']]);
  const { problems } = resolve({ '--replayable': ['POST /ok', 'GET /cart', 'POST cart'] }, {}, null);
  expect(problems).toEqual([
    '--replayable: "GET /cart" says nothing: GET is run again anyway',
    '--replayable: "POST cart" has a path that does not begin with /',
  ]);
  const file = fileOf({ replayable: ['post /cart', 7] });
  expect(resolve({}, {}, file).problems).toEqual([
    '"replayable" in /a/limpet.config.json: "post /cart" does not begin with a method in capitals',
    '"replayable" in /a/limpet.config.json: 7 is no text',
  ]);
  const many = resolve({ '--replayable': Array.from({ length: 101 }, (_, at) => `POST /r${at}`) });
  expect(many.problems).toEqual([expect.stringContaining('at most 100 routes')]);
});
