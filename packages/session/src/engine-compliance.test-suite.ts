import { type Encoded, type Keyed, parseKeyed, parseRequestId, type RequestId, type SessionId } from '@limpet/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decode, encode } from './codec.ts';
import type { CommitInput, Engine, Held, Verdict } from './engine.ts';

/** An engine under test and how to end it. */
export interface EngineUnderTest {
  readonly engine: Engine;
  /** Moves the engine's clock, in milliseconds. */
  readonly advance: (ms: number) => void | Promise<void>;
  readonly idleMs: number;
  readonly absoluteMs: number;
  readonly keyLifeMs: number;
  readonly stop: () => void | Promise<void>;
}

let drawn = 0;
/** A request id not used before. */
export function nextRequest(): RequestId {
  drawn += 1;
  const request = parseRequestId(drawn.toString(16).padStart(32, '0'));
  if (request === null) throw new Error('broken invariant: a request id');
  return request;
}

/** An Idempotency-Key and the request it came with, as digests. */
export function keyedOf(key: string, print = 'p'): Keyed {
  const keyed = parseKeyed(`${key.padEnd(22, '-')}.${print.padEnd(22, '-')}`);
  if (keyed === null) throw new Error('broken invariant: a key');
  return keyed;
}

const changeOf = (values: Readonly<Record<string, unknown>>, remove: readonly string[] = []): CommitInput => ({
  change: { set: new Map<string, Encoded>(Object.entries(values).map(([name, v]) => [name, encode(name, v)])), remove },
  destroy: false,
  carries: [],
  answer: null,
  keyed: null,
  bury: null,
});
const nothing = changeOf({});
const valuesOf = (held: Held | null): unknown =>
  held === null ? null : Object.fromEntries([...held.attributes].map(([name, bytes]) => [name, decode(bytes)]));
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** What every engine promises the session layer. Memory and replicated pass it alike. */
export function describeEngine(name: string, makeEngine: () => EngineUnderTest | Promise<EngineUnderTest>): void {
  describe(`engine: ${name}`, () => {
    let at: EngineUnderTest;
    let engine: Engine;
    beforeEach(async () => {
      at = await makeEngine();
      engine = at.engine;
    });
    afterEach(() => at.stop());

    async function begin(values: Readonly<Record<string, unknown>> = { n: 1 }): Promise<SessionId> {
      const request = nextRequest();
      const held = engine.create(engine.mint(null), request);
      expect(await engine.commit(held, request, changeOf(values))).toEqual({ kind: 'safe' });
      engine.close(held.id, request);
      return held.id;
    }

    async function opened(id: SessionId, request: RequestId): Promise<Held> {
      const held = await engine.open(id, request);
      if (held === null) throw new Error('the session is not there');
      return held;
    }

    const verdictOf = async (verdict: Verdict | Promise<Verdict>): Promise<string> => (await verdict).kind;

    test('id: minted: is parsed again, anything else is not', () => {
      const id = engine.mint(null);
      expect(engine.parse(id)).toBe(id);
      expect(engine.parse(`${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`)).toBeNull();
      expect(engine.parse(`${id} `)).toBeNull();
      expect(engine.parse('')).toBeNull();
    });

    test('id: with kin: another id of the same placement', () => {
      const id = engine.mint(null);
      const next = engine.mint(id);
      expect(next).not.toBe(id);
      expect(Buffer.from(next, 'base64url').subarray(1, 6)).toEqual(Buffer.from(id, 'base64url').subarray(1, 6));
    });

    test('open: unknown id: null', async () => {
      expect(await engine.open(engine.mint(null), nextRequest())).toBeNull();
    });

    test('create: not committed: nobody else sees it', async () => {
      const held = engine.create(engine.mint(null), nextRequest());
      expect(held.mark.version).toBe(0);
      expect(await engine.open(held.id, nextRequest())).toBeNull();
    });

    test('commit: first: the session is there for others, one object for all', async () => {
      const id = await begin({ n: 1, who: 'user one' });
      const [a, b] = [await opened(id, nextRequest()), await opened(id, nextRequest())];
      expect(a).toBe(b);
      expect(valuesOf(a)).toEqual({ n: 1, who: 'user one' });
      expect(a.expiresAt - a.createdAt).toBe(at.absoluteMs);
    });

    test('commit: in this very step: attributes and version change before the verdict', async () => {
      const [id, request] = [await begin({ n: 1, old: 1 }), nextRequest()];
      const held = await opened(id, request);
      const version = held.mark.version;
      const input = changeOf({ n: 2 }, ['old']);
      const verdict = engine.commit(held, request, input);
      expect(valuesOf(held)).toEqual({ n: 2 });
      expect(held.attributes.get('n')).toBe(input.change.set.get('n'));
      expect(held.mark.version).toBe(version + 1);
      expect(await verdictOf(verdict)).toBe('safe');
      expect(await verdictOf(engine.safe(held, request))).toBe('safe');
    });

    test('commit: empty: the request is in the log', async () => {
      const [id, request] = [await begin(), nextRequest()];
      const held = await opened(id, request);
      expect(engine.logged(held, request)).toBeNull();
      await engine.commit(held, request, nothing);
      expect(engine.logged(held, request)).toMatchObject({ request, state: 'committed', version: held.mark.version });
    });

    test('commit: several by one running request: each is made', async () => {
      const [id, request] = [await begin(), nextRequest()];
      const held = await opened(id, request);
      for (const n of [2, 3, 4]) expect(await verdictOf(engine.commit(held, request, changeOf({ n })))).toBe('safe');
      expect(valuesOf(held)).toEqual({ n: 4 });
    });

    test('commit: by a second attempt of a request: nothing changes, the stored answer comes back', async () => {
      const [id, request] = [await begin(), nextRequest()];
      const held = await opened(id, request);
      await engine.commit(held, request, { ...changeOf({ n: 2 }), answer: bytes('two') });
      engine.close(id, request);
      const retried = await opened(id, request);
      expect(engine.logged(retried, request)?.answer).toEqual(bytes('two'));
      const verdict = await engine.commit(retried, request, changeOf({ n: 3 }));
      expect(verdict).toEqual({ kind: 'duplicate', answer: bytes('two') });
      expect(valuesOf(retried)).toEqual({ n: 2 });
    });

    test('log: an answer that was delivered: is dropped, the id stays', async () => {
      const [id, request] = [await begin(), nextRequest()];
      const held = await opened(id, request);
      await engine.commit(held, request, { ...nothing, answer: bytes('two') });
      engine.delivered(held, request);
      expect(engine.logged(held, request)).toMatchObject({ state: 'committed', answer: null });
    });

    test('log: a carried request: known as such until it commits itself', async () => {
      const id = await begin();
      const [one, two] = [nextRequest(), nextRequest()];
      const held = await opened(id, one);
      await opened(id, two);
      await engine.commit(held, one, { ...changeOf({ n: 2 }), carries: [{ request: two, keyed: null }] });
      expect(engine.logged(held, two)).toMatchObject({ state: 'carried', answer: null });
      expect(await verdictOf(engine.commit(held, two, nothing))).toBe('safe');
      expect(engine.logged(held, two)?.state).toBe('committed');
    });

    test('destroy: the session is gone for whoever opens it and for whoever still runs', async () => {
      const id = await begin();
      const [one, two] = [nextRequest(), nextRequest()];
      const held = await opened(id, one);
      await opened(id, two);
      expect(await verdictOf(engine.commit(held, one, { ...nothing, destroy: true }))).toBe('safe');
      expect(held.deleted).toBe(true);
      expect(await engine.open(id, nextRequest())).toBeNull();
      expect(await verdictOf(engine.commit(held, two, changeOf({ n: 9 })))).toBe('gone');
      expect(await engine.open(id, nextRequest())).toBeNull();
    });

    test('bury: new and old id in one write: the old one is gone, the new one there', async () => {
      const id = await begin({ n: 1 });
      const [one, two] = [nextRequest(), nextRequest()];
      const old = await opened(id, one);
      await opened(id, two);
      const next = engine.create(engine.mint(id), one);
      const verdict = engine.commit(next, one, { ...changeOf({ user: 'user one' }), bury: id, answer: bytes('new') });
      expect(old.deleted).toBe(true);
      expect(await verdictOf(verdict)).toBe('safe');
      expect(await engine.open(id, nextRequest())).toBeNull();
      expect(valuesOf(await opened(next.id, nextRequest()))).toEqual({ user: 'user one' });
      expect(await verdictOf(engine.commit(old, two, changeOf({ n: 2 })))).toBe('gone');
    });

    test('bury: a retry under the old id: finds the answer of the request that buried it', async () => {
      const [id, one] = [await begin(), nextRequest()];
      await opened(id, one);
      const next = engine.create(engine.mint(id), one);
      await engine.commit(next, one, { ...nothing, bury: id, answer: bytes('new') });
      expect((await engine.recall(id, one, null)).entry?.answer).toEqual(bytes('new'));
      expect((await engine.recall(next.id, one, null)).entry?.answer).toEqual(bytes('new'));
      expect(await engine.recall(id, nextRequest(), null)).toEqual({ entry: null, kept: null });
    });

    test('bury: an id that is gone already: the new session is made all the same', async () => {
      const id = await begin();
      const [one, two] = [nextRequest(), nextRequest()];
      const old = await opened(id, one);
      await opened(id, two);
      await engine.commit(old, two, { ...nothing, destroy: true });
      const next = engine.create(engine.mint(id), one);
      expect(await verdictOf(engine.commit(next, one, { ...changeOf({ n: 1 }), bury: id }))).toBe('safe');
      expect(await opened(next.id, nextRequest())).toBe(next);
    });

    test('key: committed under: the answer is found under it by whoever knows the key, with what it was for', async () => {
      const [id, request, keyed] = [await begin(), nextRequest(), keyedOf('a')];
      const held = await opened(id, request);
      expect(await engine.recall(id, nextRequest(), keyed.key)).toEqual({ entry: null, kept: null });
      const answer = bytes('two');
      expect(await verdictOf(engine.commit(held, request, { ...changeOf({ n: 2 }), keyed, answer }))).toBe('safe');
      engine.delivered(held, request);
      engine.close(id, request);
      const { entry, kept } = await engine.recall(id, nextRequest(), keyed.key);
      expect([entry, kept?.answer, kept?.print]).toEqual([null, answer, keyed.print]);
      expect((await engine.recall(id, nextRequest(), keyedOf('b').key)).kept).toBeNull();
      expect((await engine.recall(id, nextRequest(), null)).kept).toBeNull();
    });

    test('key: a commit without an answer: known as carried out, and its later answer is kept', async () => {
      const [id, request, keyed] = [await begin(), nextRequest(), keyedOf('a')];
      const held = await opened(id, request);
      await engine.commit(held, request, { ...changeOf({ n: 2 }), keyed });
      expect((await engine.recall(id, nextRequest(), keyed.key)).kept).toMatchObject({ request, answer: null });
      await engine.commit(held, request, { ...nothing, keyed, answer: bytes('two') });
      expect((await engine.recall(id, nextRequest(), keyed.key)).kept?.answer).toEqual(bytes('two'));
    });

    test('key: another request commits under it: nothing of it is made, the first answer comes back', async () => {
      const [id, one, two, keyed] = [await begin(), nextRequest(), nextRequest(), keyedOf('a')];
      const held = await opened(id, one);
      await opened(id, two);
      await engine.commit(held, one, { ...changeOf({ n: 2 }), keyed, answer: bytes('two') });
      const verdict = await engine.commit(held, two, { ...changeOf({ n: 3 }), keyed, answer: bytes('three') });
      expect(verdict).toEqual({ kind: 'duplicate', answer: bytes('two') });
      expect(valuesOf(held)).toEqual({ n: 2 });
    });

    test('key: carried by another request: known as that until it commits itself', async () => {
      const [id, one, two, keyed] = [await begin(), nextRequest(), nextRequest(), keyedOf('a')];
      const held = await opened(id, one);
      await opened(id, two);
      await engine.commit(held, one, { ...changeOf({ n: 2 }), carries: [{ request: two, keyed }] });
      expect((await engine.recall(id, nextRequest(), keyed.key)).kept).toMatchObject({
        state: 'carried',
        answer: null,
      });
      expect(await verdictOf(engine.commit(held, two, { ...nothing, keyed, answer: bytes('two') }))).toBe('safe');
      const { kept } = await engine.recall(id, nextRequest(), keyed.key);
      expect(kept).toMatchObject({ state: 'committed', answer: bytes('two') });
    });

    test('key: its life is over: not found, and a request may commit under it again', async () => {
      const [id, one, two, keyed] = [await begin(), nextRequest(), nextRequest(), keyedOf('a')];
      const held = await opened(id, one);
      await engine.commit(held, one, { ...changeOf({ n: 2 }), keyed, answer: bytes('two') });
      await at.advance(at.keyLifeMs + 1);
      expect((await engine.recall(id, nextRequest(), keyed.key)).kept).toBeNull();
      await opened(id, two);
      expect(await verdictOf(engine.commit(held, two, { ...changeOf({ n: 3 }), keyed }))).toBe('safe');
    });

    test('key: the session goes on under a new id: its answers are found under both', async () => {
      const [id, one, two] = [await begin(), nextRequest(), nextRequest()];
      const old = await opened(id, one);
      await engine.commit(old, one, { ...changeOf({ n: 2 }), keyed: keyedOf('a'), answer: bytes('first') });
      const next = engine.create(engine.mint(id), two);
      await engine.commit(next, two, { ...nothing, keyed: keyedOf('b'), bury: id, answer: bytes('second') });
      for (const one of [id, next.id]) {
        expect((await engine.recall(one, nextRequest(), keyedOf('a').key)).kept?.answer).toEqual(bytes('first'));
        expect((await engine.recall(one, nextRequest(), keyedOf('b').key)).kept?.answer).toEqual(bytes('second'));
      }
    });

    test('key: the session is destroyed: its answers are gone, what destroyed it is known as carried out', async () => {
      const [id, one, two] = [await begin(), nextRequest(), nextRequest()];
      const held = await opened(id, one);
      await engine.commit(held, one, { ...changeOf({ n: 2 }), keyed: keyedOf('a'), answer: bytes('first') });
      await opened(id, two);
      await engine.commit(held, two, { ...nothing, destroy: true, keyed: keyedOf('b') });
      expect((await engine.recall(id, nextRequest(), keyedOf('a').key)).kept).toBeNull();
      expect((await engine.recall(id, nextRequest(), keyedOf('b').key)).kept).toMatchObject({ answer: null });
    });

    test('expiry: not used for the idle limit: gone', async () => {
      const id = await begin();
      await at.advance(at.idleMs + 1);
      expect(await engine.open(id, nextRequest())).toBeNull();
    });

    test('expiry: touched in between: still there', async () => {
      const id = await begin();
      await at.advance(at.idleMs * 0.7);
      const request = nextRequest();
      engine.touch(await opened(id, request));
      engine.close(id, request);
      await at.advance(at.idleMs * 0.7);
      expect(await engine.open(id, nextRequest())).not.toBeNull();
    });

    test('expiry: the absolute limit: gone however much it was used', async () => {
      const id = await begin();
      for (let used = 0; used < at.absoluteMs; used += at.idleMs * 0.5) {
        const request = nextRequest();
        const held = await engine.open(id, request);
        if (held !== null) engine.touch(held);
        engine.close(id, request);
        await at.advance(at.idleMs * 0.5);
      }
      expect(await engine.open(id, nextRequest())).toBeNull();
    });
  });
}
