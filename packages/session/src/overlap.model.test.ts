import type { SessionId } from '@limpet/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Harness, type Loose, type Running } from './request-harness.test-suite.ts';

/**
 * Requests of one session in any interleaving. Every change leaves a tag of its request behind, so a committed state
 * tells whose changes are in it.
 */
type Deed = 'read' | 'list' | 'append' | 'push' | 'set' | 'keep' | 'pushKept' | 'save' | 'write';
const deeds: readonly Deed[] = ['read', 'list', 'append', 'push', 'set', 'keep', 'pushKept', 'save', 'write'];
const names = ['text', 'list', 'map'] as const;

interface Client {
  readonly running: Running;
  readonly tag: string;
  readonly script: Deed[];
  /** Tags it has seen, which its response may show. */
  readonly seen: Set<string>;
  made: number;
  kept: string[] | null;
  isOver: boolean;
}

const tagsOf = (value: unknown): string[] =>
  JSON.stringify(value instanceof Map ? [...value] : value)?.match(/\w+:\d+/g) ?? [];
const look = (client: Client, value: unknown): void => {
  for (const tag of tagsOf(value)) client.seen.add(tag);
};

function act(client: Client, deed: Deed): void {
  const session: Loose = client.running.session;
  const tag = `${client.tag}:${client.made}`;
  switch (deed) {
    case 'read':
      look(client, session['text']);
      return;
    case 'list':
      for (const name of Object.keys(session)) look(client, session[name]);
      return;
    case 'append':
      client.made += 1;
      session['text'] = `${session['text']} ${tag}`;
      look(client, session['text']);
      return;
    case 'push':
      client.made += 1;
      (session['list'] as string[]).push(tag);
      look(client, session['list']);
      return;
    case 'set':
      client.made += 1;
      (session['map'] as Map<string, number>).set(tag, 1);
      look(client, session['map']);
      return;
    case 'keep':
      client.kept = session['list'] as string[];
      look(client, client.kept);
      return;
    case 'pushKept':
      if (client.kept === null) return;
      client.made += 1;
      client.kept.push(tag);
      look(client, client.kept);
      return;
    case 'save':
      void session.save();
      return;
    case 'write':
      // A piece of a streamed response: what it shows must be committed.
      client.running.head();
      client.running.owner.reach(null);
  }
}

function check(harness: Harness, id: SessionId, clients: readonly Client[], released: Client | null): void {
  const committed = harness.committed(id);
  const there = new Set(names.flatMap((name) => tagsOf(committed?.[name])));
  // A death now: whoever is not in the log is run again, so nothing of it may be in what survives.
  for (const { tag, running } of clients) {
    const hasEffect = [...there].some((found) => found.startsWith(`${tag}:`));
    if (hasEffect) expect(harness.logged(id, running.request), `${tag} has an effect`).not.toBeNull();
  }
  if (released !== null)
    expect(
      [...released.seen].filter((tag) => !there.has(tag)),
      `shown by ${released.tag}`,
    ).toEqual([]);
}

function run(scripts: readonly (readonly Deed[])[], schedule: readonly number[]): void {
  const harness = new Harness();
  const id = harness.make({ text: '', list: [], map: new Map() });
  const clients = scripts.map((script, index): Client => {
    const tag = 'abc'[index] ?? 'z';
    return {
      running: harness.begin(id),
      tag,
      script: [...script],
      seen: new Set(),
      made: 0,
      kept: null,
      isOver: false,
    };
  });
  const step = (client: Client): void => {
    const deed = client.script.shift();
    if (deed !== undefined) act(client, deed);
    else if (!client.isOver) {
      expect(client.running.finish()).toBe('safe');
      client.isOver = true;
      check(harness, id, clients, client);
      return;
    }
    check(harness, id, clients, deed === 'write' ? client : null);
  };
  for (const turn of schedule) {
    const client = clients[turn % clients.length];
    if (client !== undefined) step(client);
  }
  for (const client of clients) while (!client.isOver) step(client);
  const committed = harness.committed(id);
  const found = names.flatMap((name) => tagsOf(committed?.[name])).sort();
  const made = clients.flatMap(({ tag, made }) => Array.from({ length: made }, (_, index) => `${tag}:${index}`)).sort();
  expect(found).toEqual(made);
  expect(harness.counts.running).toBe(0);
}

const script = fc.array(fc.constantFrom(...deeds), { maxLength: 8 });
const schedule = fc.array(fc.nat(2), { maxLength: 40 });

describe('overlapping requests, any interleaving', () => {
  test('P16: three requests: nothing shown is uncommitted, no effect of a request the log does not know, none lost or doubled', () => {
    fc.assert(
      fc.property(fc.tuple(script, script, script), schedule, (scripts, turns) => run(scripts, turns)),
      { numRuns: 1_500 },
    );
  });

  test('P16: a commit: contains only what its request touched', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(4), fc.boolean()), { maxLength: 30 }), (turns) => {
        const harness = new Harness();
        const id = harness.make({ k0: [0], k1: [0], k2: [0], k3: [0], k4: [0] });
        const clients = [0, 1, 2].map(() => ({ running: harness.begin(id), touched: new Set<string>() }));
        for (const [who, key, isWrite] of turns) {
          const client = clients[who];
          const name = `k${key}`;
          const value = client?.running.session[name] as number[];
          client?.touched.add(name);
          if (isWrite) value.push(who);
        }
        for (const { running } of clients) running.finish();
        for (const { request, input } of harness.commits.slice(1)) {
          const touched = clients.find(({ running }) => running.request === request)?.touched ?? new Set();
          expect([...input.change.set.keys()].filter((name) => !touched.has(name))).toEqual([]);
        }
        const live = harness.committed(id);
        const pushes = turns.filter(([, , isWrite]) => isWrite).length;
        expect(Object.values(live ?? {}).reduce<number>((sum, list) => sum + (list as number[]).length - 1, 0)).toBe(
          pushes,
        );
      }),
      { numRuns: 500 },
    );
  });
});
