import { randomBytes } from 'node:crypto';
import { sipKey } from '@limpet/core';
import { describe, expect, test } from 'vitest';
import { describeEngine, nextRequest } from './engine-compliance.test-suite.ts';
import { createMemoryEngine, tombstonesMax } from './memory-engine.ts';
import { logAnswersMax, logEntriesMax } from './memory-log.ts';

const idleMs = 60_000;
const absoluteMs = 300_000;
const keyLifeMs = 40_000;

function make() {
  let now = 1_000_000;
  const engine = createMemoryEngine({
    macKeys: [sipKey(randomBytes(16))],
    idleMs,
    absoluteMs,
    keyLifeMs,
    now: () => now,
  });
  return {
    engine,
    idleMs,
    absoluteMs,
    keyLifeMs,
    advance: (ms: number) => {
      now += ms;
    },
    stop: () => engine.stop(),
  };
}

describeEngine('memory', make);

const nothing = {
  change: { set: new Map(), remove: [] },
  destroy: false,
  carries: [],
  answer: null,
  keyed: null,
  bury: null,
};

describe('memory engine', () => {
  test('memory: many requests on one session: the log stays within its bounds', () => {
    const { engine, stop } = make();
    const first = nextRequest();
    const held = engine.create(engine.mint(null), first);
    const requests = Array.from({ length: logEntriesMax + 50 }, () => nextRequest());
    for (const request of requests) {
      engine.open(held.id, request);
      engine.commit(held, request, { ...nothing, answer: new Uint8Array(8) });
      engine.close(held.id, request);
    }
    const entries = requests.map((request) => engine.logged(held, request)).filter((entry) => entry !== null);
    expect(entries).toHaveLength(logEntriesMax);
    expect(entries.filter((entry) => entry.answer !== null)).toHaveLength(logAnswersMax);
    stop();
  });

  test('memory: many logouts: tombstones stay within their bound, counts return to nothing', () => {
    const { engine, stop } = make();
    for (let index = 0; index < tombstonesMax + 20; index += 1) {
      const request = nextRequest();
      const held = engine.create(engine.mint(null), request);
      engine.commit(held, request, { ...nothing, change: { set: new Map([['a', new Uint8Array(10)]]), remove: [] } });
      expect(engine.counts.bytes).toBe(10);
      engine.commit(held, request, { ...nothing, destroy: true });
      engine.close(held.id, request);
    }
    expect(engine.counts).toEqual({ sessions: 0, tombstones: tombstonesMax, running: 0, bytes: 0 });
    stop();
  });

  test('memory: a key was added in front: ids of the old key are still accepted', () => {
    const [older, newer] = [sipKey(randomBytes(16)), sipKey(randomBytes(16))];
    const before = createMemoryEngine({ macKeys: [older], idleMs, absoluteMs });
    const after = createMemoryEngine({ macKeys: [newer, older], idleMs, absoluteMs });
    const id = before.mint(null);
    expect(after.parse(id)).toBe(id);
    expect(before.parse(after.mint(null))).toBeNull();
  });
});
