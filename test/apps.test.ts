import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { type Answer, drawRequest, serveApp, startApp, stopWorkers, viewOf, type Worker } from './apps/worker.ts';
import { waitUntil } from './support/wait-until.ts';

afterEach(stopWorkers);
afterAll(() => rmSync(bigFile, { force: true }));

/** Where Node runs TypeScript by itself no flag is needed. */
const typescript =
  'typescript' in process.features && process.features.typescript ? [] : ['--import', import.meta.resolve('tsx')];
const forwarded = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'shop.example',
};
const everywhere = (port: number) => ({ address: '::', family: 'IPv6', port });
const here = (port: number) => ({ address: '127.0.0.1', family: 'IPv4', port });
const asClient = { ip: '203.0.113.7', protocol: 'https' };

describe('apps: runs unchanged, and sees what it would see alone', () => {
  const apps: [name: string, file: string, expected: object, nodeArgs?: readonly string[]][] = [
    [
      'node:http, ESM',
      'plain.mjs',
      { ip: '127.0.0.1', localPort: 8080, address: everywhere(8080), run: null, internal: [] },
    ],
    ['node:http, CommonJS', 'plain.cjs', { ip: '127.0.0.1', address: everywhere(3000), node: 'n1' }],
    ['Express 5', 'express5.mjs', { ...asClient, secure: true, address: everywhere(8080) }],
    ['Express 4', 'express4.cjs', { ...asClient, secure: true, address: { ...here(3000), address: '0.0.0.0' } }],
    ['Fastify', 'fastify.mjs', { ...asClient, node: 'n1' }],
    ['Koa', 'koa.mjs', { ...asClient, secure: true, address: everywhere(3000) }],
    ['Hono', 'hono.mjs', { ip: '127.0.0.1', forwarded: '203.0.113.7', address: everywhere(3000) }],
    ['TypeScript', 'typed.ts', { node: 'n1', address: everywhere(8080) }, typescript],
    ['listen(0)', 'zero.mjs', {}],
    ['listen({ port, host })', 'options.mjs', { address: here(3000) }],
    ['listen(port, host, callback)', 'host-callback.mjs', { address: here(3000) }],
  ];
  test.each(apps)('apps: %s', async (_name, file, expected, nodeArgs = []) => {
    const worker = await serveApp(file, { nodeArgs });
    const answer = await worker.ask('/', { headers: forwarded });
    expect(answer.status, answer.body).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject(expected);
    expect(answer.headers['limpet-view']).toBe('1.1');
    expect(answer.headers['keep-alive']).toBeUndefined();
  });

  test.each([[[]], [['--late']]])(
    'apps: metrics first, then the public port %s: the app is reached, metrics on loopback',
    async (args) => {
      const worker = await serveApp('two-servers.mjs', { args });
      const found = await waitUntil(async () => {
        const { body } = await worker.ask('/');
        return body.startsWith('{') ? JSON.parse(body) : null;
      });
      expect(found).toMatchObject({ metrics: 'metrics', address: everywhere(8080) });
      expect(worker.output()).toContain(
        `limpet: port 9464 of the app is 127.0.0.1:${found.metricsPort} in this worker`,
      );
    },
  );

  test('apps: a forked child and a worker thread that listen: neither takes the socket, neither sees the mark', async () => {
    const worker = await serveApp('family.mjs');
    const { fromChild, fromThread } = JSON.parse((await worker.ask('/')).body);
    for (const { port, run } of [fromChild, fromThread]) {
      expect(run).toBeNull();
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('aside');
    }
  });
});

describe('apps: what cannot work', () => {
  test.each([
    ['https', 'LIMPET_APP_TLS'],
    ['http2', 'LIMPET_APP_TLS'],
    ['cluster', 'LIMPET_APP_CLUSTER'],
    ['fork', 'LIMPET_APP_CLUSTER'],
  ])('apps: %s: ends with %s, on its output and in its death note', async (kind, code) => {
    const worker = await startApp('refused.mjs', { args: [kind] });
    expect(await worker.ended()).toEqual([1, null]);
    expect(worker.output()).toContain(code);
    expect(worker.deathNote()).toMatchObject({
      code: 1,
      running: [],
      error: expect.stringContaining(`${code}: the app`),
    });
  });
});

describe('admission', () => {
  test('admission: no request id: 400, and the app sees nothing of it', async () => {
    const worker = await serveApp('plain.mjs');
    const sent = request({ socketPath: join(worker.sockets, 'n1.1.http'), path: '/' }).end();
    const [res] = await once(sent, 'response');
    expect(res.statusCode).toBe(400);
    res.resume();
  });

  test('admission: not in the ring: 421 with the own view; a newer view lets it in', async () => {
    const joining = viewOf(1, { ring: [], next: ['n1' as never] });
    const worker = await serveApp('plain.mjs', { view: joining });
    expect(await worker.ask('/')).toMatchObject({ status: 421, headers: { 'limpet-view': '1.1' }, body: '' });
    const waiting = worker.ask('/', { internal: { view: '1.2' } });
    worker.tell({ kind: 'views', views: [viewOf(2)], deaths: [] });
    expect(await waiting).toMatchObject({ status: 200, headers: { 'limpet-view': '1.2' } });
  });

  test('admission: a view that does not come by the deadline: 421', async () => {
    const worker = await serveApp('plain.mjs');
    const answer = await worker.ask('/', { internal: { view: '1.9', deadline: '50' } });
    expect(answer).toMatchObject({ status: 421, headers: { 'limpet-view': '1.1' } });
  });

  test('admission: a probe: 204 in front of the app', async () => {
    const worker = await serveApp('plain.mjs');
    expect(await worker.ask('/', { internal: { probe: '1' } })).toMatchObject({ status: 204, body: '' });
  });

  test('admission: the body is held back until the worker says 102', async () => {
    const worker = await startResponses();
    const id = drawRequest();
    const sent = request({
      socketPath: join(worker.sockets, 'n1.1.http'),
      path: '/echo',
      method: 'POST',
      headers: { host: 'a', 'content-length': 4, 'limpet-request': id, 'limpet-view': '1.1', 'limpet-admit': '1' },
    });
    sent.flushHeaders();
    const [information] = await once(sent, 'information');
    expect(information.statusCode).toBe(102);
    sent.end('body');
    const [res] = await once(sent, 'response');
    expect((await res.setEncoding('utf8').toArray()).join('')).toBe('body');
  });

  test('admission: a retried request that the log knows: its first answer, and the handler does not run', async () => {
    const worker = await startResponses();
    const session = sessionOf(await worker.ask('/json'));
    const requestId = drawRequest();
    const first = await worker.ask('/created', { internal: { session, request: requestId }, method: 'POST' });
    const internal = { session, request: requestId, attempt: '2', prior: 'nothing' };
    const second = await worker.ask('/created', { internal, method: 'POST' });
    // Either its answer, or, where that was delivered already, the word that it ran.
    if (second.status === 201) expect(second.body).toBe(first.body);
    else expect(second).toMatchObject({ status: 502, headers: { 'limpet-verdict': 'executed' } });
    expect(JSON.parse((await worker.ask('/count', { internal: { session } })).body)).toMatchObject({ count: 2 });
  });

  test.each([
    ['POST', 'nothing', 502, 'unknown'],
    ['POST', 'head', 502, 'executed'],
    ['GET', 'nothing', 200, undefined],
    ['GET', 'head', 200, undefined],
  ])('admission: a retried %s unknown to the log after %s: %i %s', async (method, prior, status, verdict) => {
    const worker = await startResponses();
    const session = sessionOf(await worker.ask('/json'));
    const answer = await worker.ask('/json', { method, internal: { session, attempt: '2', prior } });
    expect(answer.status).toBe(status);
    expect(answer.headers['limpet-verdict']).toBe(verdict);
  });
});

const bigFile = join(tmpdir(), `limpet-big-${process.pid}`);
const startResponses = (): Promise<Worker> => serveApp('responses.mjs', { args: [bigFile] });
const sessionOf = (answer: Answer): string =>
  /JSESSIONID=([^;]+)/.exec(String(answer.headers['set-cookie']))?.[1] ?? '';

test('gate: every kind of response after a change of the session: complete, and the change is kept', async () => {
  const worker = await startResponses();
  const session = sessionOf(await worker.ask('/json'));
  expect(session).toHaveLength(40);
  const big = 5 * 1024 * 1024;
  const kinds: readonly (readonly [string, number, number | string, string?])[] = [
    ['json', 200, '{"a":1}'],
    ['empty', 200, ''],
    ['buffer', 200, 'bytes'],
    ['writes', 200, 'abc'],
    ['redirect', 302, ''],
    ['created', 201, 'made'],
    ['error', 500, 'broken'],
    ['none', 204, ''],
    ['unchanged', 304, ''],
    ['hints', 200, 'hinted'],
    ['processing', 200, 'processed'],
    ['flush', 200, 'flushed'],
    ['late', 200, 'late'],
    ['pipe', 200, big],
    ['large', 200, big],
    ['latin', 200, 5],
    ['trailers', 200, 'body'],
    ['unframed', 200, 'unframed'],
    ['json', 200, '', 'HEAD'],
  ];
  let count = 1;
  for (const [kind, status, body, method] of kinds) {
    const answer = await worker.ask(`/${kind}`, { internal: { session }, ...(method && { method }) });
    expect([kind, answer.status]).toEqual([kind, status]);
    expect([kind, typeof body === 'number' ? answer.body.length : answer.body]).toEqual([kind, body]);
    count++;
    const { body: told } = await worker.ask('/count', { internal: { session } });
    expect([kind, JSON.parse(told).count]).toEqual([kind, count]);
  }
  expect(JSON.parse((await worker.ask('/count', { internal: { session } })).body).late).toBe(true);
});

test('gate: an event stream: the first event arrives within 100 ms of being written', async () => {
  const worker = await startResponses();
  const session = sessionOf(await worker.ask('/json'));
  // The best of a few streams: what holds events back does it every time, a busy machine does not.
  let best = Number.POSITIVE_INFINITY;
  for (let streams = 0; streams < 5 && best >= 100; streams += 1) {
    const { body, firstMs } = await worker.ask('/events', { internal: { session } });
    expect(body).toMatch(/^data: \d+\n\ndata: end\n\n$/);
    best = Math.min(best, firstMs ?? best);
  }
  expect(best).toBeLessThan(100);
});

test('gate: a download of 200 MB: memory stays flat', async () => {
  const worker = await startResponses();
  const session = sessionOf(await worker.ask('/json'));
  const before = JSON.parse((await worker.ask('/peak')).body).now;
  let bytes = 0;
  const internal = { host: 'a', 'limpet-request': drawRequest(), 'limpet-view': '1.1', 'limpet-session': session };
  const sent = request({ socketPath: join(worker.sockets, 'n1.1.http'), path: '/download', headers: internal }).end();
  const [res] = await once(sent, 'response');
  for await (const piece of res) bytes += piece.length;
  expect(bytes).toBe(200 * 1024 * 1024);
  const { peak } = JSON.parse((await worker.ask('/peak')).body);
  expect((peak - before) / 2 ** 20).toBeLessThan(50);
});

test('gate: an upgrade: the 101 carries the echo, afterwards bytes pass untouched', async () => {
  const worker = await startResponses();
  const id = drawRequest();
  const headers = { host: 'a', connection: 'Upgrade', upgrade: 'echo', 'limpet-request': id, 'limpet-view': '1.1' };
  const sent = request({ socketPath: join(worker.sockets, 'n1.1.http'), path: '/free', headers }).end();
  const [res, socket] = await once(sent, 'upgrade');
  expect(res.headers).toMatchObject({ 'limpet-request': id, 'limpet-view': '1.1', upgrade: 'echo' });
  socket.write('HTTP/1.1 200 OK\r\nnot a head\r\n\r\n');
  const [echoed] = await once(socket, 'data');
  expect(echoed.toString()).toBe('HTTP/1.1 200 OK\r\nnot a head\r\n\r\n');
  socket.destroy();
});

describe('ends', () => {
  test('ends: process.exit in a handler: the note names the running requests', async () => {
    const worker = await serveApp('ends.mjs');
    const hanging = drawRequest();
    const guilty = drawRequest();
    const hangs = worker.ask('/hang', { internal: { request: hanging }, agent: false }).catch(() => null);
    await waitUntil(() => worker.messages.some((message) => message.kind === 'stats' && message.inFlight === 1));
    const exits = worker.ask('/exit', { internal: { request: guilty }, agent: false }).catch(() => null);
    expect(await worker.ended()).toEqual([3, null]);
    expect(worker.deathNote()).toEqual({ running: [hanging, guilty], code: 3 });
    expect(await Promise.all([hangs, exits])).toEqual([null, null]);
  });

  test('ends: an uncaught error: the note has its first line', async () => {
    const worker = await serveApp('ends.mjs');
    const request = drawRequest();
    await worker.ask('/throw', { internal: { request } }).catch(() => null);
    expect(await worker.ended()).toEqual([1, null]);
    expect(worker.deathNote()).toEqual({ running: [request], code: 1, error: 'TypeError: thrown on purpose' });
  });

  test('ends: SIGKILL: no note', async () => {
    const worker = await serveApp('ends.mjs');
    worker.child.kill('SIGKILL');
    expect(await worker.ended()).toEqual([null, 'SIGKILL']);
    expect(worker.deathNote()).toBeNull();
  });

  test('ends: stop: running requests end, then exit 0, no note', async () => {
    const worker = await serveApp('ends.mjs');
    const slow = worker.ask('/slow', { agent: false });
    await waitUntil(() => worker.messages.some((message) => message.kind === 'stats' && message.inFlight === 1));
    worker.tell({ kind: 'stop', graceMs: 5_000 });
    expect(await slow).toMatchObject({ status: 200, body: 'slow' });
    expect(await worker.ended()).toEqual([0, null]);
    expect(worker.deathNote()).toBeNull();
  });

  test('ends: stop, the grace is over: exit 0 all the same', async () => {
    const worker = await serveApp('ends.mjs');
    const hangs = worker.ask('/hang', { agent: false }).catch(() => null);
    await waitUntil(() => worker.messages.some((message) => message.kind === 'stats' && message.inFlight === 1));
    worker.tell({ kind: 'stop', graceMs: 50 });
    expect(await worker.ended()).toEqual([0, null]);
    expect(await hangs).toBeNull();
  });

  test('ends: stop, the app listens for SIGTERM: it is told after the requests', async () => {
    const worker = await serveApp('ends.mjs', { args: ['--sigterm'] });
    await worker.ask('/');
    worker.tell({ kind: 'stop', graceMs: 5_000 });
    expect(await worker.ended()).toEqual([0, null]);
    expect(worker.output()).toContain('the app ends');
  });

  test('ends: SIGTERM from outside while there is a supervisor: nothing happens', async () => {
    const worker = await serveApp('ends.mjs');
    worker.child.kill('SIGTERM');
    expect((await worker.ask('/')).body).toBe('ok');
  });
});
