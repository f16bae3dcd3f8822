import { randomBytes } from 'node:crypto';
import {
  type CopyEvent,
  CopyMachine,
  createPlacementRank,
  createRank,
  type FromCopySide,
  formatSessionId,
  nodeIdAt,
  parseSessionId,
  placementOf,
  type SessionId,
  sipKey,
  type ToCopySide,
  type View,
} from '@limpet/core';
import { describe, expect, test } from 'vitest';
import { encode } from './codec.ts';
import { describeEngine, nextRequest } from './engine-compliance.test-suite.ts';
import { ReplicatedEngine } from './replicated-engine.ts';

const [n1, n2] = [nodeIdAt(1), nodeIdAt(2)];
const key = sipKey(randomBytes(16));
const rank = createRank(key);
const placementRank = createPlacementRank(key);
const view: View = {
  term: 1,
  number: 1,
  ring: [n1, n2],
  next: null,
  leaving: [],
  members: { n1: { id: n1, incarnation: 1, weight: 1 }, n2: { id: n2, incarnation: 1, weight: 1 } },
  copies: 2,
  keyId: 1,
  hashVersion: 1,
};
const idleMs = 60_000;
const absoluteMs = 300_000;
const keyLifeMs = 40_000;

function mint(kin: SessionId | null): SessionId {
  let placement: Uint8Array = kin === null ? randomBytes(5) : placementOf(kin);
  while (kin === null && placementRank(placement, view.ring, view.members)[0] !== n1) placement = randomBytes(5);
  return formatSessionId({ arm: 0, placement, random: randomBytes(16) }, key);
}

/** n1 with its own copy side, and n2's copy side at the end of a link that always takes a turn of the loop. */
function make(deadlineMs = 2_000) {
  let offset = 0;
  const now = () => 1_000_000 + performance.now() + offset;
  const own = new CopyMachine({ self: n1, rank, idleMs, deadlineMs });
  const buddy = new CopyMachine({ self: n2, rank, idleMs, deadlineMs });
  let reachable = true;
  const late: string[] = [];
  const later = (run: () => void) => void setImmediate(run);
  const toOwn = (event: CopyEvent) => {
    for (const effect of own.step(event, now())) {
      if (effect.kind === 'own') later(() => engine.receivedOwn(structuredClone(effect.message)));
    }
  };
  const toBuddy = (event: CopyEvent) => {
    for (const effect of buddy.step(event, now())) {
      const message: FromCopySide | null = effect.kind === 'send' && effect.to === n1 ? effect.message : null;
      if (message !== null) later(() => reachable && engine.received(n2, structuredClone(message)));
    }
  };
  const engine = new ReplicatedEngine({
    node: n1,
    incarnation: 1,
    rank,
    mint,
    parse: (text) => parseSessionId(text, [key]),
    deadlineMs,
    idleMs,
    absoluteMs,
    keyLifeMs,
    now,
    send: (_, message: ToCopySide) => {
      const copy = structuredClone(message);
      later(() => reachable && toBuddy({ kind: 'message', from: n1, message: copy }));
    },
    own: (message) => later(() => toOwn({ kind: 'own', message: structuredClone(message) })),
    done: () => {},
    late: (what, members) => late.push(`${what} ${members}`),
  });
  engine.enter(view);
  toOwn({ kind: 'view', view });
  toBuddy({ kind: 'view', view });
  // n2 has no app loop here: nothing it could still have to hand down.
  toBuddy({ kind: 'own', message: { kind: 'swept', view } });
  engine.linked(n2, 1, true);
  return {
    engine,
    buddy,
    late,
    idleMs,
    absoluteMs,
    keyLifeMs,
    advance: (ms: number) => {
      offset += ms;
    },
    cut: () => {
      reachable = false;
      engine.linked(n2, 1, false);
    },
    mend: () => {
      reachable = true;
      engine.linked(n2, 1, true);
    },
    stop: () => engine.stop(),
  };
}

describeEngine('replicated', make);

describe('replicated engine', () => {
  const change = (n: number) => ({
    change: { set: new Map([['n', encode('n', n)]]), remove: [] },
    destroy: false,
    carries: [],
    answer: null,
    keyed: null,
    bury: null,
  });

  test('commit: the copy has it before the verdict is safe', async () => {
    const { engine, buddy, stop } = make();
    const request = nextRequest();
    const held = engine.create(engine.mint(null), request);
    const verdict = engine.commit(held, request, change(1));
    expect(buddy.count().sessions).toBe(0);
    expect(await verdict).toEqual({ kind: 'safe' });
    expect(buddy.count().sessions).toBe(1);
    stop();
  });

  test('buddy out of reach: neither a write nor a read of it is released; both are when it is back', async () => {
    const { engine, cut, mend, stop } = make();
    const [first, second, third] = [nextRequest(), nextRequest(), nextRequest()];
    const held = engine.create(engine.mint(null), first);
    await engine.commit(held, first, change(1));
    cut();
    const released: string[] = [];
    const note = (what: string) => (verdict: { kind: string }) => void released.push(`${what} ${verdict.kind}`);
    const write = Promise.resolve(engine.commit(held, second, change(2))).then(note('write'));
    const read = Promise.resolve(engine.safe(held, third)).then(note('read'));
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(released).toEqual([]);
    mend();
    await Promise.all([write, read]);
    expect(released.sort()).toEqual(['read safe', 'write safe']);
    stop();
  });

  test('buddy out of reach: nobody is told that a session has ended before its copy knows it', async () => {
    const { engine, cut, mend, stop } = make();
    const [first, second, third] = [nextRequest(), nextRequest(), nextRequest()];
    const held = engine.create(engine.mint(null), first);
    await engine.commit(held, first, change(1));
    cut();
    const destroyed = engine.commit(held, second, { ...change(2), destroy: true });
    let opened: unknown = 'nothing';
    const opening = Promise.resolve(engine.open(held.id, third)).then((found) => {
      opened = found;
    });
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(opened).toBe('nothing');
    mend();
    await Promise.all([destroyed, opening]);
    expect(opened).toBeNull();
    // Once it is safe nobody waits any more.
    expect(engine.open(held.id, nextRequest())).toBeNull();
    stop();
  });

  test('buddy out of reach: at the deadline the verdict is unknown, never safe', async () => {
    const { engine, cut, late, stop } = make(120);
    const [first, second] = [nextRequest(), nextRequest()];
    const held = engine.create(engine.mint(null), first);
    await engine.commit(held, first, change(1));
    cut();
    expect(await engine.commit(held, second, change(2))).toEqual({ kind: 'unknown', why: 'deadline' });
    expect(late).toEqual(['commit n2']);
    stop();
  });

  test('a session that nobody answers for: given up after what is left of the wait, not after the whole deadline', async () => {
    const { engine, cut, late, stop } = make(60_000);
    cut();
    const began = performance.now();
    await expect(engine.open(engine.mint(null), nextRequest(), 100)).rejects.toThrow('could not be loaded');
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(late).toEqual(['opening n2']);
    stop();
  });

  test('a session that goes to another node while it is being loaded: told as moved at once, so that it is asked for there', async () => {
    const { engine, cut, stop } = make(60_000);
    cut();
    const opening = Promise.resolve(engine.open(engine.mint(null), nextRequest()));
    const failed = expect(opening).rejects.toMatchObject({ code: 'LIMPET_MOVED' });
    engine.enter({ ...view, number: 2, ring: [n2] });
    await failed;
    stop();
  });
});
