import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deriveKeys } from './keys.ts';
import type { ClusterOptions } from './options.ts';
import { compareOptions, recordOptions, writeOptions } from './recorded-options.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet-test-'));
  path = join(folder, 'options.json');
  writeFileSync(join(folder, 'app.mjs'), 'listen(1)');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const old = 'a first secret that is long enough';
const fresh = 'a second secret that is long enough';

const optionsWith = (more: Partial<ClusterOptions> = {}, app: Partial<ClusterOptions['app']> = {}): ClusterOptions => ({
  app: {
    ...{ file: join(folder, 'app.mjs'), args: ['--shop', 'one'], nodeArgs: [], env: { TOKEN: 'hidden-in-a-file' } },
    ...{ cwd: folder, preload: new URL('file:///preload.js'), ...app },
  },
  balancer: { entry: new URL('file:///balancer.js') },
  ...{ nodes: 4, balancers: 1, host: '127.0.0.1', port: 0, adminHost: '127.0.0.1', adminPort: 0, runDir: folder },
  ...{
    store: 'buddy',
    copies: 2,
    cookieName: 'JSESSIONID',
    headerName: null,
    secretFile: null,
    trustProxy: [],
    tls: [],
  },
  ...{ deadlineMs: 10_000, idleMs: 1e6, absoluteMs: 1e7, readyTimeoutMs: 10_000, orphanMs: 60_000, drainMs: 1_000 },
  ...{ hangKillMs: 30_000, keyLifeMs: 1e6, replayable: [], keepSessions: true, drillDoor: null, ...more },
});

/** What a start with these options finds, after one with the first ones. */
const compare = (options: ClusterOptions, secrets: readonly string[] = [old]) =>
  compareOptions(path, folder, options, deriveKeys(secrets));
const record = (options: ClusterOptions, secrets: readonly string[] = [old]) =>
  expect(writeOptions(path, recordOptions(options, deriveKeys(secrets)))).toBeNull();
const named = (options: ClusterOptions, secrets?: readonly string[]) =>
  compare(options, secrets).differences.map(({ option, takes }) => `${option} ${takes}`);

describe('recorded options', () => {
  test('the same again: no difference; nothing secret is written', () => {
    record(optionsWith());
    expect(compare(optionsWith()).differences).toEqual([]);
    const text = readFileSync(path, 'utf8');
    for (const secret of [old, 'hidden-in-a-file', Buffer.from(deriveKeys([old]).macKeys[0] ?? []).toString('hex')]) {
      expect(text).not.toContain(secret);
    }
  });

  test('what all processes must agree on: told, and the running value holds', () => {
    record(optionsWith());
    const given = { store: 'memory', copies: 3, cookieName: 'OTHER', headerName: 'x-session', port: 81 } as const;
    const { options, differences } = compare(optionsWith({ ...given, host: '0.0.0.0', idleMs: 5, nodes: 9 }));
    expect(options).toMatchObject({ store: 'buddy', copies: 2, cookieName: 'JSESSIONID', headerName: null });
    expect(options).toMatchObject({ host: '127.0.0.1', port: 0, idleMs: 1e6, nodes: 4 });
    expect(differences).toContainEqual({ option: 'copies', running: '2', given: '3', takes: 'stop' });
    expect(differences).toContainEqual({ option: 'sessionHeader', running: 'none', given: 'x-session', takes: 'stop' });
    expect(differences).toContainEqual({ option: 'nodes', running: '4', given: '9', takes: 'scale' });
    expect(differences).toHaveLength(8);
  });

  test('the app: another content, other arguments, another variable: with the next start of each node', () => {
    record(optionsWith());
    writeFileSync(join(folder, 'app.mjs'), 'listen(2)');
    const given = optionsWith({}, { args: [], env: { TOKEN: 'another' } });
    expect(named(given)).toEqual(['app restart', 'arguments restart', 'environment restart']);
    expect(compare(given).options.app.args).toEqual([]);
    expect(JSON.stringify(compare(given).differences)).not.toContain('another');
  });

  test('what takes effect at once is no difference the next time, the rest is', () => {
    record(optionsWith());
    const given = optionsWith({ trustProxy: ['10.0.0.0/8'], hangKillMs: 5_000, orphanMs: 1 });
    expect(named(given)).toEqual(['trustProxy now', 'orphanTimeout restart', 'hangKill now']);
    writeOptions(path, compare(given).recorded);
    expect(named(given)).toEqual(['orphanTimeout restart']);
  });

  test('a secret is added: the running ones stay in use, in their order; one is missing: refused', () => {
    record(optionsWith(), [old]);
    const { keys, differences } = compare(optionsWith(), [fresh, old]);
    expect(keys.macKeys).toEqual(deriveKeys([old]).macKeys);
    expect(keys.proofKey).toEqual(deriveKeys([old]).proofKey);
    expect(differences).toEqual([{ option: 'secrets', running: '1 secret', given: '2 secrets', takes: 'stop' }]);
    expect(() => compare(optionsWith(), [fresh])).toThrow(expect.objectContaining({ code: 'LIMPET_OTHER_KEYS' }));
  });

  test('nothing is recorded, or half of it: the start goes on with what is given', () => {
    for (const text of ['', '{"copies":']) {
      writeFileSync(path, text);
      const { options, differences } = compare(optionsWith({ copies: 3 }));
      expect([options.copies, differences]).toEqual([3, []]);
    }
  });
});
