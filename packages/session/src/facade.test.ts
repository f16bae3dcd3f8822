import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Harness } from './request-harness.test-suite.ts';

const code = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return 'no error';
};

describe('facade: looks like an object', () => {
  const harness = new Harness();
  const id = harness.make({ a: 1, list: [1, 2], at: new Date(5) });
  const { session } = harness.begin(id);

  test('facade: keys, spread, in, JSON, entries, inspect: attributes only', () => {
    expect(Object.keys(session)).toEqual(['a', 'list', 'at']);
    expect({ ...session }).toEqual({ a: 1, list: [1, 2], at: new Date(5) });
    expect(JSON.stringify(session)).toBe('{"a":1,"list":[1,2],"at":"1970-01-01T00:00:00.005Z"}');
    expect(Object.entries(session)[0]).toEqual(['a', 1]);
    expect(['a' in session, 'b' in session, 'save' in session]).toEqual([true, false, true]);
    expect(Object.hasOwn(session, 'a')).toBe(true);
    expect(Object.hasOwn(session, 'save')).toBe(false);
    expect(Object.hasOwn(session, 'b')).toBe(false);
    expect(inspect(session)).toContain('list: [ 1, 2 ]');
    const names: string[] = [];
    for (const name in session) names.push(name);
    expect(names).toEqual(['a', 'list', 'at']);
    expect(Object.getOwnPropertyDescriptor(session, 'a')).toMatchObject({ value: 1, enumerable: true });
  });

  test('facade: names of methods and unsafe names: refused', () => {
    for (const name of ['save', 'regenerate', 'cookie', 'id', 'update', 'constructor', '__proto__'])
      expect([name, code(() => Reflect.set(session, name, { x: 1 }))]).toEqual([name, 'LIMPET_RESERVED_NAME']);
    expect(session['x']).toBeUndefined();
    expect(Object.getPrototypeOf(session)).not.toHaveProperty('x');
    expect(typeof session.save).toBe('function');
  });

  test('facade: what cannot be copied: refused at the assignment, the old value stays', () => {
    expect(code(() => Object.assign(session, { list: [() => 1] }))).toBe('LIMPET_NOT_COPYABLE');
    expect(code(() => Reflect.set(session, Symbol('s'), 1))).toBe('LIMPET_NOT_COPYABLE');
    expect(session['list']).toEqual([1, 2]);
  });

  test('facade: frozen, given another prototype, given a getter: refused', () => {
    expect(() => Object.freeze(session)).toThrow(TypeError);
    expect(() => Object.setPrototypeOf(session, {})).toThrow(TypeError);
    expect(() => Object.defineProperty(session, 'g', { get: () => 1 })).toThrow(TypeError);
    expect(Object.defineProperty(session, 'g', { value: 7, configurable: true })['g']).toBe(7);
  });

  test('facade: an object that inherits from the session: gets properties of its own', () => {
    const heir = Object.create(session) as Record<string, unknown>;
    heir['own'] = 1;
    expect([heir['own'], session['own'], heir['a']]).toEqual([1, undefined, 1]);
  });
});

describe('session: what is committed', () => {
  test('session: nothing put in: nothing made, though its id was asked for', () => {
    const harness = new Harness();
    const running = harness.begin(null);
    expect(running.session.id).toMatch(/^[\w-]{40}$/);
    expect(running.session.id).toBe(running.owner.id);
    expect(running.session['user']).toBeUndefined();
    running.session['gone'] = 1;
    delete running.session['gone'];
    expect(running.finish()).toBe('safe');
    expect(harness.commits).toEqual([]);
    expect(harness.counts).toMatchObject({ sessions: 0, running: 0 });
  });

  test('session: read only: no commit, no log entry', () => {
    const harness = new Harness();
    const id = harness.make({ a: 1, list: [1] });
    const running = harness.begin(id);
    expect([running.session['a'], running.session['list'], Object.keys(running.session).length]).toEqual([1, [1], 2]);
    expect(running.finish()).toBe('safe');
    expect(harness.commits).toHaveLength(1);
    expect(harness.logged(id, running.request)).toBeNull();
  });

  test('session: changed in place: only that attribute is committed', () => {
    const harness = new Harness();
    const id = harness.make({ a: 1, cart: { items: new Map([['x', 1]]) }, list: [1] });
    const running = harness.begin(id);
    (running.session['cart'] as { items: Map<string, number> }).items.set('y', 2);
    expect(running.session['list']).toEqual([1]);
    running.finish();
    expect([...(harness.commits[1]?.input.change.set.keys() ?? [])]).toEqual(['cart']);
    expect(harness.committed(id)?.['cart']).toEqual({
      items: new Map([
        ['x', 1],
        ['y', 2],
      ]),
    });
  });

  test('session: the same value assigned again: logged, nothing sent', () => {
    const harness = new Harness();
    const id = harness.make({ a: 1 });
    const running = harness.begin(id);
    running.session['a'] = 1;
    running.finish();
    expect(harness.commits[1]?.input.change).toEqual({ set: new Map(), remove: [] });
    expect(harness.logged(id, running.request)?.state).toBe('committed');
  });

  test('session: deleted attribute, attribute set to undefined: removed, kept', () => {
    const harness = new Harness();
    const id = harness.make({ a: 1, b: 2 });
    const running = harness.begin(id);
    delete running.session['a'];
    running.session['b'] = undefined;
    expect(Object.keys(running.session)).toEqual(['b']);
    running.finish();
    expect(harness.committed(id)).toStrictEqual({ b: undefined });
  });

  test('session: a function pushed in place: reported once, the committed value is back', () => {
    const harness = new Harness();
    const id = harness.make({ list: [1] });
    const running = harness.begin(id);
    (running.session['list'] as unknown[]).push(() => 1);
    expect(code(() => running.owner.assertCommittable())).toBe('LIMPET_NOT_COPYABLE');
    expect(running.session['list']).toEqual([1]);
    expect(running.finish()).toBe('safe');
  });

  test('session: changed after the last commit point: committed at the end of the request', () => {
    const harness = new Harness();
    const id = harness.make({ a: 1 });
    const running = harness.begin(id);
    running.head();
    running.owner.reach(null);
    running.session['a'] = 2;
    running.owner.end();
    expect(harness.committed(id)).toEqual({ a: 2 });
  });

  test('session: first attribute after the head: refused', () => {
    const harness = new Harness();
    const running = harness.begin(null);
    running.head();
    expect(code(() => Reflect.set(running.session, 'a', 1))).toBe('LIMPET_HEAD_SENT');
    expect(code(() => running.session.regenerate())).toBe('LIMPET_HEAD_SENT');
    expect(code(() => running.session.destroy())).toBe('LIMPET_HEAD_SENT');
  });

  test('session: no request runs: only bytes are kept', () => {
    const harness = new Harness();
    const id = harness.make({ list: [1] });
    const running = harness.begin(id);
    const list = running.session['list'];
    running.finish();
    const next = harness.begin(id);
    expect(next.session['list']).toEqual(list);
    expect(next.session['list']).not.toBe(list);
  });
});

describe('session: overlapping requests', () => {
  test('session: an object: is the same for both, and the commit of one names the other', () => {
    const harness = new Harness();
    const id = harness.make({ list: [1], n: 1 });
    const [a, b] = [harness.begin(id), harness.begin(id)];
    (a.session['list'] as number[]).push(2);
    (b.session['list'] as number[]).push(3);
    expect(a.session['list']).toBe(b.session['list']);
    b.finish();
    expect(harness.committed(id)?.['list']).toEqual([1, 2, 3]);
    expect(harness.commits[1]?.input.carries).toEqual([{ request: a.request, keyed: null }]);
    expect(harness.logged(id, a.request)?.state).toBe('carried');
    a.finish();
    expect(harness.logged(id, a.request)?.state).toBe('committed');
  });

  test('session: what the other only wrote and this one never touched: stays unpublished', () => {
    const harness = new Harness();
    const id = harness.make({ x: 1, y: 1 });
    const [a, b] = [harness.begin(id), harness.begin(id)];
    a.session['x'] = 2;
    b.session['y'] = 2;
    b.finish();
    expect(harness.committed(id)).toEqual({ x: 1, y: 2 });
    expect(harness.commits[1]?.input.carries).toEqual([]);
    a.finish();
    expect(harness.committed(id)).toEqual({ x: 2, y: 2 });
  });

  test('session: a reader of an unfinished change: commits it before it is shown', () => {
    const harness = new Harness();
    const id = harness.make({ x: 1 });
    const [a, b] = [harness.begin(id), harness.begin(id)];
    a.session['x'] = 2;
    expect(b.session['x']).toBe(2);
    b.finish();
    expect(harness.committed(id)).toEqual({ x: 2 });
    expect(harness.commits[1]).toMatchObject({
      request: b.request,
      input: { carries: [{ request: a.request, keyed: null }] },
    });
  });

  test('session: listing: commits an unfinished removal, for it shows the absence', () => {
    const harness = new Harness();
    const id = harness.make({ x: 1, y: 1 });
    const [a, b] = [harness.begin(id), harness.begin(id)];
    delete a.session['x'];
    expect(Object.keys(b.session)).toEqual(['y']);
    b.finish();
    expect(harness.committed(id)).toEqual({ y: 1 });
  });

  test('session: destroyed while another runs: its changes are refused, it is gone, the session stays away', async () => {
    const harness = new Harness();
    const id = harness.make({ user: 'user one', n: 1 });
    const [writer, mutator, reader, logout] = [0, 1, 2, 3].map(() => harness.begin(id));
    if (!writer || !mutator || !reader || !logout) throw new Error('four requests');
    writer.session['n'] = 2;
    expect(reader.session['user']).toBe('user one');
    expect(mutator.session['n']).toBe(2);
    await logout.session.destroy();
    expect(logout.session).toBeUndefined();
    expect(code(() => Reflect.set(mutator.session, 'n', 3))).toBe('LIMPET_SESSION_GONE');
    expect([writer.finish(), mutator.finish(), reader.finish(), logout.finish()]).toEqual([
      'gone',
      'gone',
      'safe',
      'safe',
    ]);
    expect(harness.committed(id)).toBeNull();
    expect(harness.counts).toMatchObject({ sessions: 0, running: 0 });
  });

  test('session: destroyed by two at once: the second one, too, waits for the tombstone', async () => {
    const harness = new Harness();
    const id = harness.make({ user: 'user one' });
    const [first, second] = [harness.begin(id), harness.begin(id)];
    await first.session.destroy();
    expect(harness.waits).toEqual([]);
    await second.session.destroy();
    expect(harness.waits).toEqual([second.request]);
    expect([first.finish(), second.finish()]).toEqual(['safe', 'safe']);
  });

  test('session: reload: takes back what nobody else has used', async () => {
    const harness = new Harness();
    const id = harness.make({ mine: 1, shared: 1, list: [1] });
    const [a, b] = [harness.begin(id), harness.begin(id)];
    Object.assign(a.session, { mine: 2, shared: 2 });
    (a.session['list'] as number[]).push(2);
    expect(b.session['shared']).toBe(2);
    await a.session.reload();
    expect({ ...a.session }).toEqual({ mine: 1, shared: 2, list: [1] });
  });
});

describe('session: methods', () => {
  test('session: save: commits now; callback and promise', async () => {
    const harness = new Harness();
    const running = harness.begin(null);
    running.session['a'] = 1;
    await running.session.save();
    expect(harness.committed(running.owner.id)).toEqual({ a: 1 });
    running.session['a'] = 2;
    const returned = await new Promise((resolve, reject) => {
      const back: unknown = running.session.save((error) => (error ? reject(error) : resolve(back)));
    });
    expect(returned).toBe(running.session);
    expect(harness.committed(running.owner.id)).toEqual({ a: 2 });
    running.head();
    running.finish();
  });

  test('session: regenerate: new id of the same placement, empty, the old one ends in the same write', async () => {
    const harness = new Harness();
    const id = harness.make({ guest: true });
    const other = harness.begin(id);
    const running = harness.begin(id);
    const before = running.session;
    await running.session.regenerate();
    expect(running.session).not.toBe(before);
    expect(before['guest']).toBe(true);
    expect(code(() => Reflect.set(before, 'guest', false))).toBe('LIMPET_SESSION_GONE');
    running.session['user'] = 'user one';
    const next = running.owner.id;
    expect(Buffer.from(next, 'base64url').subarray(1, 6)).toEqual(Buffer.from(id, 'base64url').subarray(1, 6));
    expect(running.owner.announce(false)).toEqual({ kind: 'give', id: next });
    running.finish();
    expect(harness.commits[1]).toMatchObject({ id: next, input: { bury: id, destroy: false } });
    expect([harness.committed(id), harness.committed(next)]).toEqual([null, { user: 'user one' }]);
    expect(harness.logged(id, running.request)?.state).toBe('committed');
    other.session['guest'] ??= 'x';
    other.owner.end();
  });

  test('session: regenerate and left empty: the old one ends, no new one, the cookie is taken', async () => {
    const harness = new Harness();
    const id = harness.make({ user: 'user one' });
    const running = harness.begin(id);
    await running.session.regenerate();
    expect(running.owner.announce(false)).toEqual({ kind: 'take' });
    running.finish();
    expect(harness.committed(id)).toBeNull();
    expect(harness.counts).toMatchObject({ sessions: 0, running: 0 });
  });

  test('session: regenerate, then the client goes away before the head: the old session goes on', async () => {
    const harness = new Harness();
    const id = harness.make({ guest: true });
    const running = harness.begin(id);
    await running.session.regenerate();
    running.session['user'] = 'user one';
    running.owner.end();
    expect(harness.committed(id)).toEqual({ guest: true });
    expect(harness.counts).toMatchObject({ sessions: 1, running: 0 });
  });

  test('session: renew: new id, the same data and objects', async () => {
    const harness = new Harness();
    const id = harness.make({ user: 'user one', cart: [1], untouched: 'u' });
    const other = harness.begin(id);
    other.session['user'] = 'user one';
    const running = harness.begin(id);
    const cart = running.session['cart'] as number[];
    await running.session.renew();
    const next = running.session.id;
    expect(next).not.toBe(id);
    cart.push(2);
    await running.session.save();
    cart.push(3);
    expect(running.finish()).toBe('safe');
    expect(harness.committed(id)).toBeNull();
    expect(harness.committed(running.owner.id)).toEqual({ user: 'user one', cart: [1, 2, 3], untouched: 'u' });
    expect(harness.commits[1]?.input).toMatchObject({ bury: id, carries: [{ request: other.request, keyed: null }] });
    expect(other.finish()).toBe('gone');
  });

  test('session: renew, but another request destroys it first: gone, its data does not come back', async () => {
    const harness = new Harness();
    const id = harness.make({ user: 'user one' });
    const [running, logout] = [harness.begin(id), harness.begin(id)];
    await running.session.renew();
    await logout.session.destroy();
    expect(running.finish()).toBe('gone');
    expect(harness.counts.sessions).toBe(0);
  });

  test('session: save after another request destroyed it: rejected, and nobody has to catch it', async () => {
    const harness = new Harness();
    const id = harness.make({ user: 'user one' });
    const [running, logout] = [harness.begin(id), harness.begin(id)];
    running.session['user'] = 'user five';
    await logout.session.destroy();
    await expect(running.session.save()).rejects.toMatchObject({ code: 'LIMPET_SESSION_GONE' });
    void running.session.save();
    const error = await new Promise((resolve) => running.session.save(resolve));
    expect(error).toMatchObject({ code: 'LIMPET_SESSION_GONE' });
  });
});
