import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeIdAt, type View } from '@limpet/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeDeathNote } from './death-note.ts';
import { deriveKeys, loadKeys } from './keys.ts';
import { lockRunDirectory } from './lock.ts';
import { startTimeOf } from './proc.ts';
import { ProcessTable, readTable } from './process-table.ts';
import { openRunDirectory, openSocketsFolder, removeSocketsFolder } from './run-directory.ts';
import { diskHistoryMax, Views } from './views.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe('run directory', () => {
  test('opening: new: private, with logs', () => {
    const run = openRunDirectory(join(folder, 'a', '.limpet'));
    expect([modeOf(run.path), modeOf(run.logs)]).toEqual([0o700, 0o700]);
  });

  test('opening: a file is in its place: says so', () => {
    writeFileSync(join(folder, 'x'), '');
    expect(() => openRunDirectory(join(folder, 'x'))).toThrow(/cannot be used/);
  });

  test('sockets: short path: inside the run directory', () => {
    const run = openRunDirectory(join(folder, 'r'));
    const sockets = openSocketsFolder(run);
    expect(sockets).toBe(join(run.path, 'sockets'));
    expect(modeOf(sockets)).toBe(0o700);
  });

  test('sockets: 200 characters with a space and an umlaut: a short private folder, the same each time', () => {
    const run = openRunDirectory(join(folder, 'd\u00fc sen', 'x'.repeat(90), 'y'.repeat(90)));
    const sockets = openSocketsFolder(run);
    try {
      expect(Buffer.byteLength(join(sockets, 'n9999.999999.death'))).toBeLessThanOrEqual(100);
      expect(sockets.startsWith(run.path)).toBe(false);
      expect(modeOf(sockets)).toBe(0o700);
      expect(openSocketsFolder(run)).toBe(sockets);
    } finally {
      removeSocketsFolder(sockets);
    }
    expect(existsSync(sockets)).toBe(false);
  });

  test('sockets: another has put an open folder under the guessed name: not used', () => {
    const run = openRunDirectory(join(folder, 'x'.repeat(100)));
    const expected = openSocketsFolder(run);
    chmodSync(expected, 0o777);
    const sockets = openSocketsFolder(run);
    expect(sockets).not.toBe(expected);
    expect(modeOf(sockets)).toBe(0o700);
    for (const path of [expected, sockets]) removeSocketsFolder(path);
  });

  test('sockets: the folder holds other things too: only sockets are removed', () => {
    const run = openRunDirectory(folder);
    mkdirSync(join(folder, 'sockets'));
    for (const name of ['control', 'n1.3.http', 'mine.ts']) writeFileSync(join(folder, 'sockets', name), '');
    removeSocketsFolder(openSocketsFolder(run));
    expect(readdirSync(join(folder, 'sockets'))).toEqual(['mine.ts']);
  });

  test('lock: two at once: one wins, the next after its release', async () => {
    const run = openRunDirectory(folder);
    const locks = await Promise.all([lockRunDirectory(run), lockRunDirectory(run)]);
    const won = locks.filter((lock) => lock !== null);
    expect(won).toHaveLength(1);
    await won[0]?.release();
    const again = await lockRunDirectory(run);
    expect(again).not.toBeNull();
    await again?.release();
  });

  test('process table: the living are found, the dead and another start time are not', () => {
    const path = join(folder, 'processes.json');
    const table = new ProcessTable(path, () => {});
    const entry = { name: 'n1', role: 'worker', incarnation: 1 } as const;
    table.add({ ...entry, pid: process.pid, startTime: startTimeOf(process.pid) });
    table.add({ ...entry, pid: process.ppid, startTime: '1' });
    const living = () => readTable(path).living.map(({ pid }) => pid);
    expect(living()).toEqual([process.pid]);
    const text = readFileSync(path, 'utf8');
    // After a reboot: the same pid, even the same start time, is another process.
    writeFileSync(path, text.replace(/"boot":"[^"]*"/, '"boot":"another"'));
    expect(living()).toEqual([]);
    writeFileSync(path, text.replaceAll(`"pid":${process.pid}`, '"pid":-1'));
    expect(living()).toEqual([]);
    writeFileSync(path, text.slice(0, -5));
    expect(readTable(path)).toEqual({ living: [], starts: new Map() });
    table.remove(process.pid);
    expect(living()).toEqual([]);
  });

  test('process table: an incarnation is on disk before it is used, and never given out again', () => {
    const path = join(folder, 'processes.json');
    const table = new ProcessTable(path, () => {});
    expect([table.nextIncarnation('n1'), table.nextIncarnation('n1'), table.nextIncarnation('b1')]).toEqual([1, 2, 1]);
    const next = new ProcessTable(path, () => {}, readTable(path));
    expect([next.nextIncarnation('n1'), next.nextIncarnation('b1'), next.nextIncarnation('n2')]).toEqual([3, 2, 1]);
  });

  test('death note: read once; a foreign or broken one is none', () => {
    const ids = ['0123456789abcdef0123456789abcdef', 'not an id', 7];
    writeFileSync(join(folder, 'n2.3.death'), JSON.stringify({ running: ids, code: 1, error: 'Error: x' }));
    expect(takeDeathNote(folder, 'n2.3')).toEqual({ running: [ids[0]], error: 'Error: x' });
    expect(takeDeathNote(folder, 'n2.3')).toBeNull();
    writeFileSync(join(folder, 'n2.4.death'), '{"running":');
    expect(takeDeathNote(folder, 'n2.4')).toBeNull();
  });
});

describe('keys', () => {
  const a = 'a'.repeat(20);
  const b = 'b'.repeat(20);
  const secretFile = (text: string, mode = 0o600) => {
    const path = join(folder, 'secrets');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  test('no secret file: one is made at first start, private, and kept', () => {
    const own = join(folder, 'keys');
    const first = loadKeys(null, own);
    expect(modeOf(own)).toBe(0o600);
    expect(loadKeys(null, own)).toEqual(first);
    expect(loadKeys(null, join(folder, 'other')).keyId).not.toBe(first.keyId);
  });

  test('a new first line: signs; the old one still verifies, and nobody moves', () => {
    const before = deriveKeys([a]);
    const after = deriveKeys([b, a]);
    expect(after.macKeys[1]).toEqual(before.macKeys[0]);
    expect(after.macKeys[0]).not.toEqual(before.macKeys[0]);
    expect([after.rankKey, after.keyId]).toEqual([before.rankKey, before.keyId]);
  });

  test('derived keys: 16 bytes, each purpose its own, the number 32 bits', () => {
    const { macKeys, rankKey, keyId } = deriveKeys([a]);
    expect([macKeys[0]?.length, rankKey.length]).toEqual([16, 16]);
    expect(macKeys[0]).not.toEqual(rankKey);
    expect(keyId).toBeGreaterThanOrEqual(0);
    expect(keyId).toBeLessThan(2 ** 32);
  });

  test('secret file: two lines, the last without an end: both are used', () => {
    expect(loadKeys(secretFile(`${b}\r\n${a}`), 'unused')).toEqual(deriveKeys([b, a]));
  });

  test.each([
    ['readable by others', a, 0o640, /chmod 600/],
    ['empty', '\n\n', 0o600, /empty/],
    ['too short', 'short\n', 0o600, /line 1 has fewer than 16/],
    ['a comment', `${a}\n# ${b}\n`, 0o600, /line 2 looks like a comment/],
    ['a space at the end', `${a} \n`, 0o600, /space/],
    ['the same twice', `${a}\n${a}\n`, 0o600, /twice/],
  ])('secret file: %s: refused, without showing it', (_, text, mode, why) => {
    const path = secretFile(text, mode);
    expect(() => loadKeys(path, 'unused')).toThrow(why);
    expect(() => loadKeys(path, 'unused')).not.toThrow(new RegExp(a));
  });

  test('secret file: missing: refused', () => {
    expect(() => loadKeys(join(folder, 'none'), 'unused')).toThrow(/does not exist/);
  });
});

describe('views', () => {
  const view = (number: number, term = 1): View => ({
    ...{ term, number, ring: [nodeIdAt(1)], next: null, leaving: [], members: {} },
    ...{ copies: 2, keyId: 1, hashVersion: 1 },
  });
  const numbers = (views: Views, seen: number | null) =>
    views.missedSince(seen === null ? null : { term: 1, number: seen })?.views.map(({ number }) => number);

  test('persisting: on disk when it returns; the next life counts from its term', () => {
    const path = join(folder, 'views.json');
    expect(new Views(path).term).toBe(0);
    new Views(path).persist(view(3, 4), []);
    const next = new Views(path);
    expect([next.term, next.newest, next.damage]).toEqual([4, view(3, 4), null]);
    expect(next.takeTerm(0, 0)).toBe(5);
    expect(new Views(path).takeTerm(7, 0)).toBe(8);
    expect(new Views(path).newest).toEqual(view(3, 4));
  });

  test('reading: one bit has changed, half of it is there, it is another format: damaged, set aside, no term twice', () => {
    const path = join(folder, 'views.json');
    new Views(path).persist(view(3, 4), []);
    const good = readFileSync(path, 'utf8');
    const others = [good.replace('"copies":2', '"copies":3'), good.slice(0, -30), '', JSON.stringify(view(3, 4))];
    for (const text of others) {
      writeFileSync(path, text);
      const views = new Views(path);
      expect([views.damage, views.newest]).toEqual([expect.any(String), null]);
      expect(views.takeTerm(0, 1_790_000_000_000)).toBe(1_790_000_001);
      expect(readFileSync(`${path}.damaged`, 'utf8')).toBe(text);
      expect(new Views(path).damage).toBeNull();
    }
  });

  test('a later supervisor: whoever has missed the last views of the term before gets them first', () => {
    const path = join(folder, 'views.json');
    const before = new Views(path);
    for (let number = 1; number <= 40; number++) before.persist(view(number), []);
    const views = new Views(path);
    views.persist(view(1, 2), []);
    expect(numbers(views, 38)).toEqual([39, 40, 1]);
    expect(numbers(views, 40)).toEqual([1]);
    expect(numbers(views, 41)).toEqual([1]);
    expect(numbers(views, 40 - diskHistoryMax)).toHaveLength(diskHistoryMax + 1);
    expect(views.missedSince({ term: 1, number: 40 - diskHistoryMax - 1 })).toBeNull();
  });

  test('a view that only a process has: taken in at its place; what lies before it and is not known is not skipped', () => {
    const views = new Views(join(folder, 'views.json'));
    views.persist(view(3), []);
    views.learn(view(5));
    views.learn(view(3));
    expect(views.newest).toEqual(view(5));
    expect([numbers(views, 4), numbers(views, 3)]).toEqual([[5], undefined]);
    // Nor for whoever is further behind: the hole lies in the middle of what it has missed.
    views.learn(view(2));
    expect(numbers(views, 1)).toBeUndefined();
    views.learn(view(4));
    expect(numbers(views, 3)).toEqual([4, 5]);
  });

  test('missed: whoever has seen one gets all after it, with their deaths; a newcomer the newest', () => {
    const views = new Views(join(folder, 'views.json'));
    const death = { node: nodeIdAt(2), incarnation: 1, cause: 'killed', how: 'SIGKILL', running: null } as const;
    for (const number of [1, 2, 3]) views.persist(view(number), number === 2 ? [death] : []);
    expect([numbers(views, null), numbers(views, 0), numbers(views, 1), numbers(views, 3)]).toEqual([
      [3],
      [1, 2, 3],
      [2, 3],
      [],
    ]);
    expect(views.missedSince({ term: 1, number: 1 })?.deaths).toEqual([death]);
    expect(views.missedSince({ term: 1, number: 2 })?.deaths).toEqual([]);
  });

  test('missed: more than is kept: has to join anew', () => {
    const views = new Views(join(folder, 'views.json'));
    for (let number = 1; number <= 1_001; number++) views.persist(view(number), []);
    expect(numbers(views, 1)).toHaveLength(1_000);
    expect(views.missedSince({ term: 1, number: 0 })).toBeNull();
  }, 30_000);
});
