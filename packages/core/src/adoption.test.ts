import { describe, expect, test } from 'vitest';
import { Adoption, type AdoptionEffect, greetMs, type LeftProcess, proofMs } from './adoption.ts';
import { nodeIdAt } from './ids.ts';
import type { View } from './view.ts';

const viewOf = (number: number, more: Partial<View> = {}): View => {
  const ring = [nodeIdAt(1), nodeIdAt(2), nodeIdAt(3)];
  const members = Object.fromEntries(ring.map((id) => [id, { id, incarnation: 1, weight: 1 }]));
  return {
    ...{ term: 3, number, ring, next: null, leaving: [], members, copies: 2, keyId: 7 },
    hashVersion: 1,
    ...more,
  };
};
const newest = viewOf(5);

const worker = (index: number, incarnation = 1): LeftProcess => ({ role: 'worker', name: `n${index}`, incarnation });
const balancer = (index: number): LeftProcess => ({ role: 'balancer', name: `b${index}`, incarnation: 1 });
const all = [worker(1), worker(2), worker(3), balancer(1)];

const begin = (processes: readonly LeftProcess[] = all, view: View | null = newest, nowMs = 0) =>
  new Adoption({ term: 4, newest: view, processes }, nowMs);

const greet = (left: LeftProcess, view: View | null = newest, settled: View | null = newest) =>
  ({
    kind: 'greeted',
    name: left.name,
    incarnation: left.incarnation,
    side: left.role === 'worker' ? 'keeper' : 'balancer',
    view,
    settled,
  }) as const;
const died = ({ name, incarnation }: LeftProcess) => ({ kind: 'died', name, incarnation }) as const;

/** `begin 4 after 3.5 without n2`, `kill n3.1`, `learned 3.6`. */
const said = (effects: readonly AdoptionEffect[]) =>
  effects.map((effect) => {
    if (effect.kind === 'kill') return `kill ${effect.name}.${effect.incarnation}`;
    if (effect.kind === 'learned') return `learned ${effect.view.term}.${effect.view.number}`;
    const after = effect.adopt === null ? 'nothing' : `${effect.adopt.term}.${effect.adopt.number}`;
    return `begin ${effect.term} after ${after} without ${effect.dead.map(({ id }) => id).join() || 'nobody'}`;
  });

/** Lets those greet, then the time pass. */
function after(adoption: Adoption, greeting: readonly LeftProcess[], settled: View | null = newest) {
  for (const left of greeting) expect(adoption.step(greet(left, newest, settled), 10)).toEqual([]);
  expect(adoption.step({ kind: 'tick' }, greetMs - 1)).toEqual([]);
  return said(adoption.step({ kind: 'tick' }, greetMs));
}

describe('adoption', () => {
  test('everybody comes back: begins at once, under the next term', () => {
    const adoption = begin();
    for (const left of all.slice(0, 3)) expect(adoption.step(greet(left), 10)).toEqual([]);
    expect(said(adoption.step(greet(balancer(1)), 20))).toEqual(['begin 4 after 3.5 without nobody']);
    expect(adoption.begun).toBe(true);
    expect(adoption.step(died(worker(1)), 30)).toEqual([]);
  });

  test('a member died meanwhile: it is dead at once, nobody waits for it', () => {
    const adoption = begin([worker(1), worker(3)]);
    adoption.step(greet(worker(1)), 5);
    expect(said(adoption.step(greet(worker(3)), 6))).toEqual(['begin 4 after 3.5 without n2']);
  });

  test('a member has been replaced by an incarnation that no view knows: the member is dead', () => {
    const adoption = begin([worker(1), worker(2, 2), worker(3)]);
    for (const left of [worker(1), worker(3)]) adoption.step(greet(left), 5);
    expect(said(adoption.step(greet(worker(2, 2), null, null), 6))).toEqual(['begin 4 after 3.5 without n2']);
  });

  test('one member is silent in a settled cluster: killed, proven dead, and the view is without it', () => {
    const adoption = begin();
    expect(after(adoption, [worker(1), worker(2), balancer(1)])).toEqual(['kill n3.1']);
    expect(adoption.step({ kind: 'tick' }, greetMs + 1)).toEqual([]);
    expect(said(adoption.step(died(worker(3)), greetMs + 2))).toEqual(['begin 4 after 3.5 without n3']);
  });

  test('the proof of its death does not come: it stays a member, the others are served', () => {
    const adoption = begin();
    after(adoption, [worker(1), worker(2), balancer(1)]);
    expect(adoption.step({ kind: 'tick' }, greetMs + proofMs - 1)).toEqual([]);
    expect(said(adoption.step({ kind: 'tick' }, greetMs + proofMs))).toEqual(['begin 4 after 3.5 without nobody']);
  });

  test('a busy app loop: the keeper has greeted, so the process is not silent', () => {
    const adoption = begin([worker(1), worker(2)]);
    adoption.step({ ...greet(worker(2)), side: 'app' }, 5);
    expect(adoption.step(greet(worker(1)), 6)).toEqual([]);
    expect(adoption.begun).toBe(false);
    expect(said(adoption.step(greet(worker(2)), 7))).toEqual(['begin 4 after 3.5 without n3']);
  });

  test('one silent, one dead, two copies: the silent one may hold the last copy and is spared', () => {
    const adoption = begin([worker(1), worker(3), balancer(1)]);
    expect(after(adoption, [worker(1), balancer(1)])).toEqual(['begin 4 after 3.5 without n2']);
  });

  test('the same with three copies: it is killed', () => {
    const three = viewOf(5, { copies: 3 });
    const adoption = begin([worker(1), worker(3), balancer(1)], three);
    expect(after(adoption, [worker(1), balancer(1)])).toEqual(['kill n3.1']);
  });

  test('fewer members than copies: each holds everything, and the last one is never killed', () => {
    const two = viewOf(5, { copies: 3, ring: [nodeIdAt(1), nodeIdAt(3)] });
    const { n2: _, ...members } = two.members;
    const view = { ...two, members };
    const adoption = begin([worker(3), balancer(1)], view);
    adoption.step(greet(balancer(1), view, view), 5);
    expect(said(adoption.step({ kind: 'tick' }, greetMs))).toEqual(['begin 4 after 3.5 without n1']);
  });

  test('copies were not complete when the supervisor died: the silent one is spared', () => {
    expect(after(begin(), [worker(1), worker(2), balancer(1)], viewOf(4))).toEqual([
      'begin 4 after 3.5 without nobody',
    ]);
    expect(after(begin(), [worker(1), worker(2), balancer(1)], null)).toEqual(['begin 4 after 3.5 without nobody']);
  });

  test('two are silent together: it is the machine that is slow, nobody is killed', () => {
    expect(after(begin(), [worker(1), balancer(1)])).toEqual(['begin 4 after 3.5 without nobody']);
    expect(after(begin(), [])).toEqual(['begin 4 after 3.5 without nobody']);
  });

  test('a silent worker outside the view holds nothing: killed', () => {
    const adoption = begin([...all, worker(4)]);
    expect(after(adoption, all)).toEqual(['kill n4.1']);
  });

  test('a silent balancer: killed while another one holds the port, else spared', () => {
    const two = begin([worker(1), worker(2), worker(3), balancer(1), balancer(2)]);
    expect(after(two, [worker(1), worker(2), worker(3), balancer(2)])).toEqual(['kill b1.1']);
    expect(after(begin(), [worker(1), worker(2), worker(3)])).toEqual(['begin 4 after 3.5 without nobody']);
  });

  test('a worker has a view that is not on disk: learned, and adopted', () => {
    const adoption = begin([worker(1), worker(2)]);
    const { n3: _, ...members } = newest.members;
    const later = viewOf(6, { ring: [nodeIdAt(1), nodeIdAt(2)], members });
    expect(said(adoption.step(greet(worker(1), later), 5))).toEqual(['learned 3.6']);
    expect(said(adoption.step(greet(worker(2)), 6))).toEqual(['begin 4 after 3.6 without nobody']);
  });

  test('nothing on disk can be read: the newest view of the workers, and a term above theirs', () => {
    const adoption = new Adoption({ term: 1, newest: null, processes: [worker(1), worker(2)] }, 0);
    expect(said(adoption.step(greet(worker(1), viewOf(4)), 5))).toEqual(['learned 3.4']);
    expect(said(adoption.step(greet(worker(2), newest), 6))).toEqual(['learned 3.5', 'begin 4 after 3.5 without n3']);
  });

  test('nobody has seen a view: begins with nothing', () => {
    const adoption = begin([worker(1)], null);
    expect(said(adoption.step(greet(worker(1), null, null), 5))).toEqual(['begin 4 after nothing without nobody']);
  });
});
