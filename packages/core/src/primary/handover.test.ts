import { expect, test } from 'vitest';
import { nodeIdAt, type RequestId, type SessionId } from '../ids.ts';
import type { Commit } from '../messages.ts';
import { type PrimaryEffect, PrimaryMachine } from '../primary.ts';
import { createRank } from '../rank.ts';
import { emptyRecord, snapshot } from '../record.ts';
import { formatSessionId } from '../session-id.ts';
import { sipKey } from '../siphash.ts';
import { numberOf, type View } from '../view.ts';

const [n1, n2, n3] = [nodeIdAt(1), nodeIdAt(2), nodeIdAt(3)];
const key = sipKey(new Uint8Array(16).fill(3));
const rank = createRank(key);
const member = (id: typeof n1) => ({ id, incarnation: 1, weight: 1 });
const view = (number: number, ring: View['ring']): View => ({
  term: 1,
  number,
  ring,
  next: null,
  leaving: [],
  members: { n1: member(n1), n2: member(n2), n3: member(n3) },
  copies: 2,
  keyId: 1,
  hashVersion: 1,
});
const before = view(1, [n1, n2]);
const after = view(2, [n1, n2, n3]);
const request = 'a'.repeat(32) as RequestId;
const other = 'b'.repeat(32) as RequestId;

/** An id whose home is n1 while n3 is away, and n3 when it is there, with n1 as its buddy. */
function movingId(): SessionId {
  for (let draw = 0; ; draw += 1) {
    const placement = new Uint8Array([draw >> 8, draw, 0, 0, 0]);
    const id = formatSessionId({ arm: 0, placement, random: new Uint8Array(16) }, key);
    const [first] = rank(id, before.ring, before.members);
    const [primary, buddy] = rank(id, after.ring, after.members);
    if (first === n1 && primary === n3 && buddy === n1) return id;
  }
}

const commitOf = (ordinal: number, create: Commit['create']): Commit => ({
  request,
  ordinal,
  change: { set: new Map([['n', new Uint8Array([ordinal])]]), remove: [] },
  destroy: false,
  carries: [],
  answer: null,
  kept: [],
  create,
  bury: null,
  at: 0,
});

function machineOf(self: typeof n1): PrimaryMachine {
  const machine = new PrimaryMachine({ self, incarnation: 1, rank, idleMs: 1e9, deadlineMs: 10_000 });
  return machine;
}

function enter(machine: PrimaryMachine, next: View, others: readonly (typeof n1)[]): readonly PrimaryEffect[] {
  const links = others.map((id) => ({ kind: 'link', member: id, incarnation: 1, up: true }) as const);
  return [{ kind: 'view', view: next } as const, ...links].flatMap((event) => machine.step(event, 0));
}

const relayed = (effects: readonly PrimaryEffect[], to: typeof n1) =>
  effects.flatMap((effect) =>
    effect.kind === 'send' && effect.to === to && effect.message.kind === 'relay' ? [effect.message.message] : [],
  );

test('handover: a session begun before the switch and committed after it: made at the new primary, answered when safe', () => {
  const id = movingId();
  const [former, primary] = [machineOf(n1), machineOf(n3)];
  enter(former, before, [n2]);
  former.step({ kind: 'create', id, request, token: 1 }, 0);
  enter(former, after, [n2, n3]);
  enter(primary, after, [n1, n2]);
  former.step({ kind: 'sweep', budget: 10 }, 0);

  const commit = commitOf(1, { createdAt: 0, expiresAt: 1e12 });
  const [forward] = relayed(former.step({ kind: 'commit', id, commit, token: 2 }, 1), n3);
  expect(forward?.kind).toBe('forward');
  if (forward === undefined) return;
  const made = primary.step({ kind: 'own', message: { kind: 'relayed', from: n1, message: forward } }, 2);
  // The new write set is n3 and n1: nothing is said before n1's copy side has it.
  expect(relayed(made, n1)).toEqual([]);
  expect(made.filter((effect) => effect.kind === 'send').map(({ to, message }) => [to, message.kind])).toEqual([
    [n1, 'write'],
  ]);
  const ack = { kind: 'ack', id, view: { term: 1, number: 2 }, version: 1 } as const;
  const [settled] = relayed(primary.step({ kind: 'message', from: n1, message: ack }, 3), n1);
  expect(settled).toMatchObject({ kind: 'forwarded', verdict: 'safe' });
  if (settled === undefined) return;
  const effects = former.step({ kind: 'own', message: { kind: 'relayed', from: n3, message: settled } }, 4);
  expect(effects).toContainEqual({ kind: 'settled', token: 2, settled: { kind: 'safe' } });

  // The same request goes on: its second commit is taken too, one made on another version is not.
  const [second] = relayed(former.step({ kind: 'commit', id, commit: commitOf(2, null), token: 3 }, 5), n3);
  if (second === undefined) throw new Error('not forwarded');
  const again = primary.step({ kind: 'own', message: { kind: 'relayed', from: n1, message: second } }, 6);
  expect(again.some((effect) => effect.kind === 'send' && effect.message.kind === 'write')).toBe(true);
  const stranger = {
    ...second,
    base: { version: 1, view: { term: 1, number: 1 }, by: 'n2.1' },
    commit: { ...commitOf(1, null), request: other },
  } as typeof second;
  const refused = primary.step({ kind: 'own', message: { kind: 'relayed', from: n1, message: stranger } }, 7);
  expect(relayed(refused, n1)[0]).toMatchObject({ verdict: 'refused' });
});

test('handover: one change of several is refused: what was made on top of it is refused too, and never sent', () => {
  const id = movingId();
  const former = machineOf(n1);
  enter(former, before, [n2]);
  former.step({ kind: 'create', id, request, token: 1 }, 0);
  former.step({ kind: 'commit', id, commit: commitOf(1, { createdAt: 0, expiresAt: 1e12 }), token: 2 }, 0);
  former.step({ kind: 'open', id, request: other, token: 3 }, 0);
  enter(former, after, [n2, n3]);
  former.step({ kind: 'sweep', budget: 10 }, 0);
  const [first] = relayed(former.step({ kind: 'commit', id, commit: commitOf(2, null), token: 4 }, 1), n3);
  former.step({ kind: 'commit', id, commit: { ...commitOf(1, null), request: other }, token: 5 }, 1);
  if (first?.kind !== 'forward') throw new Error('not forwarded');
  const { sequence } = first;
  const word = { kind: 'forwarded', view: numberOf(after), sequence, verdict: 'refused', mark: null } as const;
  const told = former.step({ kind: 'own', message: { kind: 'relayed', from: n3, message: word } }, 2);
  const settled = (token: number) => ({ kind: 'settled', token, settled: { kind: 'refused' } });
  expect(told).toEqual(expect.arrayContaining([settled(4), settled(5)]));
  // The record here has what was refused: the difference from it would lack that.
  expect(former.step({ kind: 'commit', id, commit: commitOf(3, null), token: 6 }, 3)).toEqual([settled(6)]);
});

test('handover: a change that waited for the claim: taken although its request no longer runs; a late one is not', () => {
  const id = movingId();
  const [former, primary] = [machineOf(n1), machineOf(n3)];
  enter(former, before, [n2]);
  former.step({ kind: 'create', id, request, token: 1 }, 0);
  former.step({ kind: 'commit', id, commit: commitOf(1, { createdAt: 0, expiresAt: 1e12 }), token: 2 }, 0);
  const handed = enter(former, after, [n2, n3]);
  enter(primary, after, [n1, n2]);
  const demoted = handed.flatMap((effect) =>
    effect.kind === 'own' && effect.message.kind === 'demoted' ? [effect.message] : [],
  )[0];
  if (demoted?.record == null) throw new Error('nothing was handed down');
  const { record } = demoted;
  const [forward] = relayed(former.step({ kind: 'commit', id, commit: commitOf(2, null), token: 3 }, 1), n3);
  if (forward === undefined) throw new Error('not forwarded');
  const early = primary.step({ kind: 'own', message: { kind: 'relayed', from: n1, message: forward } }, 2);
  expect(early).toMatchObject([{ kind: 'own', message: { kind: 'claim', id } }]);
  const nothing = { kind: 'claimed', id, view: numberOf(after), custody: null, record: null, running: [] } as const;
  primary.step({ kind: 'own', message: { ...nothing, heir: false } }, 3);
  primary.step({ kind: 'message', from: n2, message: { ...nothing, heir: false } }, 3);
  const found = { ...nothing, custody: numberOf(before), record, heir: false };
  const taken = primary.step({ kind: 'message', from: n1, message: found }, 3);
  expect(primary.isPrimary(id)).toBe(true);
  expect(relayed(taken, n1)).toEqual([]); // Taken: its verdict waits for the copies.
  const late = primary.step(
    {
      kind: 'own',
      message: { kind: 'relayed', from: n1, message: { ...forward, commit: commitOf(3, null) } as typeof forward },
    },
    4,
  );
  expect(relayed(late, n1)).toMatchObject([{ kind: 'forwarded', verdict: 'refused' }]);
});

test('handover: a change comes for a session that has ended: its refusal waits until the tombstone is safe', () => {
  const id = movingId();
  const [former, primary] = [machineOf(n1), machineOf(n3)];
  enter(former, before, [n2]);
  former.step({ kind: 'create', id, request, token: 1 }, 0);
  enter(former, after, [n2, n3]);
  enter(primary, after, [n1, n2]);
  former.step({ kind: 'sweep', budget: 10 }, 0);
  const said = [];
  const commits = [
    commitOf(1, { createdAt: 0, expiresAt: 1e12 }),
    { ...commitOf(2, null), destroy: true },
    commitOf(3, null),
  ];
  for (const commit of commits) {
    const [forward] = relayed(former.step({ kind: 'commit', id, commit, token: 1 + commit.ordinal }, 1), n3);
    if (forward === undefined) throw new Error('not forwarded');
    said.push(
      ...relayed(primary.step({ kind: 'own', message: { kind: 'relayed', from: n1, message: forward } }, 2), n1),
    );
  }
  const ack = { kind: 'ack', id, view: { term: 1, number: 2 } } as const;
  said.push(...relayed(primary.step({ kind: 'message', from: n1, message: { ...ack, version: 1 } }, 3), n1));
  expect(said).toMatchObject([{ kind: 'forwarded', verdict: 'safe' }]);
  const rest = relayed(primary.step({ kind: 'message', from: n1, message: { ...ack, version: 2 } }, 4), n1);
  expect(rest).toMatchObject([
    { kind: 'forwarded', verdict: 'safe' },
    { kind: 'forwarded', verdict: 'gone' },
  ]);
});

test('handover: the new primary dies while its word on a held response is on its way: that word opens nothing any more', () => {
  const id = movingId();
  const former = machineOf(n1);
  enter(former, before, [n2]);
  former.step({ kind: 'create', id, request, token: 1 }, 0);
  former.step({ kind: 'commit', id, commit: commitOf(1, { createdAt: 0, expiresAt: 1e12 }), token: 2 }, 0);
  enter(former, after, [n2, n3]);
  const [confirm] = relayed(former.step({ kind: 'link', member: n3, incarnation: 1, up: true }, 1), n3);
  if (confirm?.kind !== 'confirm') throw new Error('the response was not held for n3');
  const word = {
    kind: 'forwarded',
    view: confirm.view,
    sequence: confirm.sequence,
    verdict: 'safe',
    mark: null,
  } as const;

  // n1 is primary again, and n2, in the write set of this view, holds nothing: n3 spoke of another one.
  const now: View = { ...view(3, [n1, n2]), members: { n1: member(n1), n2: member(n2) } };
  former.step({ kind: 'view', view: now }, 2);
  const settled = (effects: readonly PrimaryEffect[]) => effects.filter(({ kind }) => kind === 'settled');
  expect(settled(former.step({ kind: 'own', message: { kind: 'relayed', from: n3, message: word } }, 3))).toEqual([]);

  const attributes = new Map([['n', new Uint8Array([1])]]);
  const record = {
    ...snapshot(emptyRecord(id)),
    attributes,
    expiresAt: 1e12,
    mark: { version: 1, view: before, by: 'n1.1' },
  };
  const custody = numberOf(after);
  const own = { kind: 'claimed', id, view: numberOf(now), custody, record, running: [], heir: true } as const;
  const taken = former.step({ kind: 'own', message: own }, 4);
  expect(taken.some((effect) => effect.kind === 'send' && effect.to === n2 && effect.message.kind === 'record')).toBe(
    true,
  );
  expect(settled(taken)).toEqual([]);
  const ack = { kind: 'ack', id, view: numberOf(now), version: 1 } as const;
  expect(settled(former.step({ kind: 'message', from: n2, message: ack }, 5))).toEqual([
    { kind: 'settled', token: 2, settled: { kind: 'safe' } },
  ]);
});
