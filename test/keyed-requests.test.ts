import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, drawRequest, serveApp, stopWorkers, type Worker } from './apps/worker.ts';
import { waitUntil } from './support/wait-until.ts';

/** One worker with its app behind admission, asked over its own socket as a balancer asks it. */
let worker: Worker;
let session: string;
beforeAll(async () => {
  worker = await serveApp('keyed.mjs', { welcome: { replayable: ['POST /count'] } });
});
afterAll(stopWorkers);
beforeEach(async () => {
  session = idIn(await send('/count', null, { session: null }));
});

/** The digests a balancer would make: anything of 22 characters. */
const keyed = (key: string, print = 'p'): string => `${key.padEnd(22, '-')}.${print.padEnd(22, '-')}`;

const idIn = (answer: Answer): string =>
  /JSESSIONID=([^;]+)/.exec([answer.headers['set-cookie']].flat().join('\n'))?.[1] ?? '';

interface Sending {
  /** Null: none. */
  readonly session?: string | null;
  readonly internal?: { readonly [name: string]: string };
}

/** A POST under this key (`key.print`), on a connection of its own: several may run at once. */
function send(path: string, key: string | null, sending: Sending = {}): Promise<Answer> {
  const id = sending.session === undefined ? session : sending.session;
  const internal = { ...(key && { key }), ...(id && { session: id }), ...sending.internal };
  return worker.ask(path, { method: 'POST', body: 'x', internal, agent: new Agent({ maxSockets: 1 }) });
}

const tell = ({ status, headers }: Answer): string => `${status} ${headers['limpet-verdict'] ?? 'app'}`;
const runs = async (): Promise<number> => Number((await worker.ask('/runs')).body);

/** Lets the slow handler of this session go on; false while it does not wait yet. */
const letGo = () => waitUntil(async () => (await worker.ask('/go')).body === 'true', { what: 'the waiting handler' });

describe('a request under a key that its session knows', () => {
  test('keyed: the same request again: the same status, head and body, and the handler does not run', async () => {
    const first = await send('/count', keyed('a'));
    const before = await runs();
    for (let again = 0; again < 3; again += 1) {
      const repeated = await send('/count', keyed('a'));
      const { 'limpet-request': own, connection, ...head } = repeated.headers;
      const { 'limpet-request': firstOwn, connection: _, ...firstHead } = first.headers;
      expect([repeated.status, head, repeated.body]).toEqual([201, firstHead, first.body]);
      expect(own).not.toBe(firstOwn);
      // The worker ends the connection: the balancer must not send another request into that.
      expect(connection).toMatch(/^close/);
    }
    expect(await runs()).toBe(before);
    expect((await send('/count', keyed('b'))).body).toMatch(/count 3$/);
  });

  test('keyed: another request under it: 422, nothing runs', async () => {
    await send('/count', keyed('a'));
    const before = await runs();
    expect(tell(await send('/count', keyed('a', 'other')))).toBe('422 reused');
    expect(await runs()).toBe(before);
  });

  test('keyed: the same key in another session: another key', async () => {
    const first = await send('/count', keyed('a'));
    const other = idIn(await send('/count', null, { session: null }));
    expect((await send('/count', keyed('a'), { session: other })).body).not.toBe(first.body);
  });

  test.each(['/plain', '/untouched'])(
    'keyed: %s: its handler touches no session: answered again all the same',
    async (path) => {
      const first = await send(path, keyed('a'));
      const before = await runs();
      expect((await send(path, keyed('a'))).body).toBe(first.body);
      expect(await runs()).toBe(before);
    },
  );

  test.each(['/large', '/stream'])(
    'keyed: %s: an answer that is not kept: executed, not a second run',
    async (path) => {
      expect((await send(path, keyed('a'))).status).toBe(200);
      const before = await runs();
      expect(tell(await send(path, keyed('a')))).toBe('502 executed');
      expect(await runs()).toBe(before);
    },
  );

  test.each(['/login', '/renew'])('keyed: %s: the answer is found under the old id and the new one', async (path) => {
    const first = await send(path, keyed('a'));
    const next = idIn(first);
    expect(next).not.toBe('');
    const before = await runs();
    for (const id of [session, next]) {
      const repeated = await send(path, keyed('a'), { session: id });
      expect([repeated.status, repeated.body, idIn(repeated)]).toEqual([200, first.body, next]);
    }
    expect(await runs()).toBe(before);
  });

  test('keyed: answered before the id changed: found under the new id', async () => {
    const first = await send('/count', keyed('a'));
    const next = idIn(await send('/renew', null));
    expect((await send('/count', keyed('a'), { session: next })).body).toBe(first.body);
  });

  test('keyed: a request that ends its session: executed', async () => {
    expect((await send('/logout', keyed('a'))).status).toBe(200);
    expect(tell(await send('/logout', keyed('a')))).toBe('502 executed');
  });

  test('keyed: without a session: nothing is kept, it runs again', async () => {
    const before = await runs();
    for (let again = 1; again <= 2; again += 1) {
      expect((await send('/plain', keyed('a'), { session: null })).body).toBe(`run ${before + again}`);
    }
  });
});

describe('a request under a key whose first request still runs', () => {
  test('keyed: the same request: 409 while it runs, its answer afterwards', async () => {
    const first = send('/slow', keyed('a'));
    await waitUntil(async () => tell(await send('/slow?second', keyed('a', 'other'))) === '422 reused');
    expect(tell(await send('/slow', keyed('a')))).toBe('409 running');
    await letGo();
    const { body } = await first;
    expect((await send('/slow', keyed('a'))).body).toBe(body);
  });

  test('keyed: its connection has gone: 409 until its handler is done, then executed', async () => {
    const before = await runs();
    const sent = httpRequest({
      socketPath: join(worker.sockets, 'n1.1.http'),
      path: '/slow',
      method: 'POST',
      headers: {
        'limpet-request': drawRequest(),
        'limpet-view': '1.1',
        'limpet-key': keyed('a'),
        'limpet-session': session,
      },
    });
    sent.on('error', () => {});
    sent.end();
    await waitUntil(async () => (await runs()) > before);
    sent.destroy();
    // The worker may hear of it now or later.
    for (let again = 0; again < 5; again += 1) expect(tell(await send('/slow', keyed('a')))).toBe('409 running');
    await letGo();
    await waitUntil(async () => tell(await send('/slow', keyed('a'))) === '502 executed');
    expect(await runs()).toBe(before + 1);
  });
});

describe('a request that an earlier attempt may have run', () => {
  const retried = { attempt: '2', prior: 'nothing' };

  test('retried: nothing is known of it: with a key or on a declared route it runs, otherwise it cannot be known', async () => {
    expect(tell(await send('/untouched', keyed('a'), { internal: retried }))).toBe('200 app');
    expect(tell(await send('/count', null, { internal: retried }))).toBe('201 app');
    expect(tell(await send('/untouched', null, { internal: retried }))).toBe('502 unknown');
    expect(tell(await send('/count', null, { internal: retried, session: null }))).toBe('201 app');
    expect(tell(await send('/plain', keyed('a'), { internal: retried, session: null }))).toBe('200 app');
    expect(tell(await send('/plain', null, { internal: retried, session: null }))).toBe('502 unknown');
  });

  test('retried: its key is known: the answer, whichever request id it comes with', async () => {
    const first = await send('/count', keyed('a'));
    expect((await send('/count', keyed('a'), { internal: retried })).body).toBe(first.body);
  });
});
