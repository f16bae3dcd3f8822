import { expect, test } from 'vitest';
import { CopyMachine } from '../copy.ts';
import type { RequestId } from '../ids.ts';
import type { Commit, LogEntry, SessionRecord, ToCopySide } from '../messages.ts';
import { idRanked, n1, n2, n3, rank, viewOf } from '../primary/members.test-suite.ts';
import { noMark } from '../record.ts';
import { formatSessionId, parseSessionId, readPlacement } from '../session-id.ts';
import { sipKey } from '../siphash.ts';
import { numberOf } from '../view.ts';

const request = 'a'.repeat(32) as RequestId;
const earlier = 'b'.repeat(32) as RequestId;

test('copy side: an end comes for a session that is not here yet: dead at once, acknowledged with what came before it', () => {
  const view = viewOf(1, [n1, n2, n3]);
  const old = idRanked(view, [n1, n2]);
  const placement = new Uint8Array(5);
  readPlacement(old, placement);
  const key = sipKey(new Uint8Array(16).fill(9));
  const id = parseSessionId(formatSessionId({ arm: 0, placement, random: new Uint8Array(16).fill(1) }, key), [key]);
  if (id === null) throw new Error('no id');
  const machine = new CopyMachine({ self: n2, rank, idleMs: 60_000, deadlineMs: 10_000 });
  machine.step({ kind: 'view', view }, 0);
  const at = { view: numberOf(view), by: 'n1.1' };
  const commit: Commit = {
    request,
    ordinal: 1,
    change: { set: new Map(), remove: [] },
    destroy: false,
    carries: [],
    answer: null,
    kept: [],
    create: { createdAt: 0, expiresAt: 1e12 },
    bury: old,
    at: 1,
  };
  const [mark, buried] = [
    { version: 1, ...at },
    { version: 8, ...at },
  ];
  const write: ToCopySide = { kind: 'write', id, view: at.view, previous: noMark, mark, buried, commit, keptFrom: 0 };
  const told = machine.step({ kind: 'message', from: n1, message: write }, 1);
  const said = told.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []));
  expect(said).toMatchObject([
    { kind: 'need', id: old },
    { kind: 'ack', id, version: 1 },
  ]);
  expect(machine.held(old)?.deleted).toBe(true);

  // The same by its name alone: what is here is not it.
  const digest = { kind: 'digest', id: old, view: at.view, mark: buried, touchedAt: 1 } as const;
  expect(machine.step({ kind: 'message', from: n1, message: digest }, 1)).toMatchObject([
    { kind: 'send', message: { kind: 'need', id: old } },
  ]);

  const entry = (name: RequestId, version: number): LogEntry => ({
    request: name,
    state: 'committed',
    version,
    commits: 1,
    answer: null,
    at: 1,
  });
  const times = { createdAt: 0, expiresAt: 1e12, touchedAt: 1 };
  const log = [entry(earlier, 7), entry(request, 8)];
  const record: SessionRecord = {
    id: old,
    mark: buried,
    attributes: new Map(),
    deleted: true,
    ...times,
    log,
    kept: [],
  };
  const again = machine.step(
    { kind: 'message', from: n1, message: { kind: 'record', view: at.view, record, buried: [] } },
    2,
  );
  expect(again).toMatchObject([{ kind: 'send', message: { kind: 'ack', id: old, version: 8 } }]);
  expect([...(machine.held(old)?.log.keys() ?? [])]).toEqual([earlier, request]);
});
