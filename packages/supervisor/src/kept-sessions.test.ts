import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FromSupervisor, nodeIdAt, type RestoreReport, type SaveReport } from '@limpet/core';
import { writeSessionFile } from '@limpet/transport';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Peer } from './control.ts';
import type { ClusterEvent } from './events.ts';
import { type Entrant, Restore } from './restore.ts';
import { Save } from './save.ts';
import { findSavedFiles, removeSavedFiles } from './saved-files.ts';
import type { Slot } from './slot.ts';

const [n1, n2] = [nodeIdAt(1), nodeIdAt(2)];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet-kept-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, view: { readonly term: number; readonly number: number }) {
  const entries = [{ id: 'A'.repeat(40), value: {}, isOwn: true }];
  const untilMs = performance.now() + 60_000;
  return writeSessionFile({ path: join(folder, name), keyId: 1, view, entries, untilMs });
}

describe('saved files', () => {
  test('of the newest view, and of one that could not be written: to be loaded', async () => {
    await write('n1.1.app.sessions', { term: 3, number: 8 });
    await write('n2.1.keeper.sessions', { term: 3, number: 9 });
    const found = findSavedFiles(folder, { term: 3, number: 8 });
    expect(found).toMatchObject({ sessions: 2, term: 3, aside: [], isUnsure: false });
    expect(found.paths.map((path) => path.slice(folder.length + 1))).toEqual([
      'n1.1.app.sessions',
      'n2.1.keeper.sessions',
    ]);
    removeSavedFiles(found.paths);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a newer view is on disk: set aside as old, with the number of its sessions', async () => {
    await write('n1.1.app.sessions', { term: 3, number: 8 });
    const { paths, aside } = findSavedFiles(folder, { term: 4, number: 1 });
    expect(paths).toEqual([]);
    expect(aside).toMatchObject([{ file: 'n1.1.app.sessions', now: 'n1.1.app.sessions.old', sessions: 1 }]);
    expect(findSavedFiles(folder, { term: 4, number: 1 }).aside).toEqual([]);
  });

  test('no view on disk: loaded, but nobody can be sure', async () => {
    await write('n1.1.app.sessions', { term: 3, number: 8 });
    expect(findSavedFiles(folder, null)).toMatchObject({ isUnsure: true, term: 3, sessions: 1 });
  });

  test('no session file at all, a draft, a stranger: a header that is none is set aside, the others are left', () => {
    for (const name of ['n1.1.app.sessions', 'n1.1.app.sessions.part', 'notes.txt'])
      writeFileSync(join(folder, name), 'x');
    expect(findSavedFiles(folder, null).aside).toMatchObject([{ file: 'n1.1.app.sessions', sessions: null }]);
    expect(readdirSync(folder).sort()).toEqual(['n1.1.app.sessions.damaged', 'n1.1.app.sessions.part', 'notes.txt']);
    expect(findSavedFiles(join(folder, 'missing'), null)).toMatchObject({ paths: [], aside: [] });
  });
});

/** The keepers and apps that a supervisor would send to. */
function peers(sent: [string, FromSupervisor][]) {
  return {
    of: (role: string, name?: string): readonly Peer[] => [
      {
        ...{ role: role as Peer['role'], name: name ?? '', incarnation: 1, seen: null },
        send: (message: FromSupervisor) => void sent.push([`${name} ${role}`, message]),
      } as Peer,
    ],
  };
}

const at = (node: Entrant['node'], incarnation = 1): Entrant => ({ node, incarnation });
const reportOf = (given: Partial<RestoreReport> = {}): RestoreReport => ({
  ...{ sessions: 0, tombstones: 0, expired: 0, unverified: 0, damaged: [], ...given },
});

function restoreOf(sessions: number) {
  const sent: [string, FromSupervisor][] = [];
  const events: ClusterEvent[] = [];
  const entered: string[] = [];
  const name = ({ node, incarnation }: Entrant) => `${node}.${incarnation}`;
  const control = peers(sent);
  const restore = new Restore({
    files: { paths: ['a file'], sessions, term: 1, aside: [], isUnsure: false },
    ...{ folder, wanted: [n1, n2], copies: 2, keyId: 1, control, kill: () => {} },
    emit: (event) => void events.push(event),
    start: (nodes) => void entered.push(`start ${nodes.map(name)}`),
    join: (node) => void entered.push(`join ${name(node)}`),
  });
  return { restore, sent, events, entered };
}

describe('restore', () => {
  test('all ready: each keeper is asked, nobody enters before all have loaded, then all at once', () => {
    const { restore, sent, events, entered } = restoreOf(9);
    restore.ready(at(n1));
    expect(sent).toEqual([]);
    restore.ready(at(n2));
    expect(sent.map(([to, { kind }]) => [to, kind])).toEqual([
      ['n1 keeper', 'restore'],
      ['n2 keeper', 'restore'],
    ]);
    restore.restored(at(n1), 1, reportOf({ sessions: 5, expired: 1 }));
    expect(entered).toEqual([]);
    restore.restored(at(n2), 1, reportOf({ sessions: 2, unverified: 1 }));
    expect(entered).toEqual(['start n1.1,n2.1']);
    expect(events).toMatchObject([{ kind: 'sessions-loaded', sessions: 7, expired: 1, unverified: 1, missing: 0 }]);
    restore.ready(at(n2, 2));
    expect(entered.at(-1)).toBe('join n2.2');
    restore.close();
  });

  test('a loader dies: its report of before counts no more, and the load begins anew with its next incarnation', () => {
    const { restore, sent, entered } = restoreOf(2);
    restore.ready(at(n1));
    restore.ready(at(n2));
    restore.restored(at(n1), 1, reportOf({ sessions: 1 }));
    restore.died(at(n1));
    restore.restored(at(n2), 1, reportOf({ sessions: 1 }));
    expect(entered).toEqual([]);
    restore.ready(at(n1, 2));
    expect(sent.filter(([, message]) => message.kind === 'restore' && message.sequence === 2).length).toBeGreaterThan(
      0,
    );
    restore.restored(at(n1, 2), 2, reportOf({ sessions: 1 }));
    restore.restored(at(n2), 2, reportOf({ sessions: 1 }));
    expect(entered).toEqual(['start n2.1,n1.2']);
    restore.close();
  });

  test('a node is given up: the others load without it', () => {
    const { restore, entered } = restoreOf(2);
    restore.ready(at(n1));
    restore.givenUp(n2);
    restore.restored(at(n1), 1, reportOf({ sessions: 2 }));
    expect(entered).toEqual(['start n1.1']);
    restore.close();
  });

  test('a damaged file: named once, and what is in no other file is counted', () => {
    const { restore, events } = restoreOf(5);
    restore.ready(at(n1));
    restore.ready(at(n2));
    const damaged = [{ file: 'n9.1.app.sessions', why: 'cut', records: 3 }];
    restore.restored(at(n1), 1, reportOf({ sessions: 1, damaged }));
    restore.restored(at(n2), 1, reportOf({ sessions: 2, damaged }));
    expect(events).toMatchObject([
      { kind: 'sessions-set-aside', file: 'n9.1.app.sessions', why: 'cut' },
      { kind: 'sessions-loaded', sessions: 3, missing: 2 },
    ]);
    restore.close();
  });
});

const slotOf = (id: Slot['id'], primary: number): Slot =>
  ({ id, life: { incarnation: 1, readyAt: 1, stats: { app: { primary } } } }) as unknown as Slot;
const saved = (given: Partial<SaveReport> = {}): SaveReport => ({
  sessions: 0,
  copies: {},
  unsaved: 0,
  why: null,
  ...given,
});

describe('save', () => {
  async function run(copies: number, tell: (save: Save) => void) {
    const sent: [string, FromSupervisor][] = [];
    const save = new Save(peers(sent), copies);
    const outcome = save.run([slotOf(n1, 10), slotOf(n2, 20)]);
    expect(sent.map(([to]) => to)).toEqual(['n1 app', 'n1 keeper', 'n2 app', 'n2 keeper']);
    tell(save);
    return outcome;
  }

  test('every side reports: the sessions of all, nothing missing', async () => {
    const outcome = await run(2, (save) => {
      save.saved(n1, 1, 'app', saved({ sessions: 11 }));
      save.saved(n1, 1, 'keeper', saved({ copies: { n2: 20 } }));
      save.saved(n2, 1, 'app', saved({ sessions: 20 }));
      save.saved(n2, 1, 'keeper', saved({ copies: { n1: 11 } }));
    });
    expect(outcome).toMatchObject({ sessions: 31, unsaved: 0, why: null });
  });

  test('a worker dies before it has saved: its sessions are in the files of their copies', async () => {
    const outcome = await run(2, (save) => {
      save.saved(n1, 1, 'app', saved({ sessions: 10 }));
      save.saved(n1, 1, 'keeper', saved({ copies: { n2: 20 } }));
      save.died(n2, 1);
    });
    expect(outcome).toMatchObject({ sessions: 30, unsaved: 0 });
  });

  test('one copy, and the disk of a worker is full: what is missing is counted, with the reason', async () => {
    const outcome = await run(1, (save) => {
      save.saved(n1, 1, 'app', saved({ sessions: 4, unsaved: 6, why: 'ENOSPC' }));
      save.saved(n1, 1, 'keeper', saved());
      save.saved(n2, 1, 'app', saved({ sessions: 20 }));
      save.saved(n2, 1, 'keeper', saved());
    });
    expect(outcome).toMatchObject({ sessions: 24, unsaved: 6, why: 'n1: ENOSPC' });
  });

  test('ended at once: whatever has not been reported is not counted as saved', async () => {
    const outcome = await run(2, (save) => {
      save.saved(n1, 1, 'app', saved({ sessions: 10 }));
      save.abort();
    });
    expect(outcome).toMatchObject({ sessions: 10, unsaved: 20, why: 'it was ended at once' });
  });
});
