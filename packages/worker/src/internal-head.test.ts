import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type InternalHead, takeInternalHead } from './internal-head.ts';

const server = createServer();
afterEach(() => void server.close());

const request32 = 'ab'.repeat(16);

interface Seen {
  readonly head: InternalHead | null;
  readonly raw: readonly string[];
  readonly headers: readonly string[];
  readonly distinct: readonly string[];
}

/** What remains of a head with these lines, `before` being what Node's own count is turned into first. */
async function seen(lines: readonly string[], prepare: (req: IncomingMessage) => void = () => {}): Promise<Seen> {
  const result = new Promise<Seen>((resolve) => {
    server.removeAllListeners('request');
    server.once('request', (req: IncomingMessage, res) => {
      prepare(req);
      const head = takeInternalHead(req);
      const names = [req.headers, req.headersDistinct].map((headers) => Object.keys(headers));
      resolve({ head, raw: req.rawHeaders, headers: names[0] ?? [], distinct: names[1] ?? [] });
      res.end();
    });
  });
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const sent = request({ port, host: '127.0.0.1', agent: false, headers: lines as string[] }).end();
  const [res] = await once(sent, 'response');
  res.resume();
  return result;
}

const base = ['host', 'a', 'x-own', '1'];
const internal = ['Limpet-Request', request32, 'limpet-view', '3.17', 'limpet-attempt', '2', 'limpet-prior', 'nothing'];

test('internal head: last in the head: read, and gone from all three forms', async () => {
  const { head, raw, headers, distinct } = await seen([...base, ...internal, 'connection', 'close']);
  expect(head).toMatchObject({ request: request32, view: { term: 3, number: 17 }, attempt: 2, prior: 'nothing' });
  expect(head).toMatchObject({ session: null, deadlineMs: null, admit: false, probe: false });
  expect(raw).toEqual([...base, 'connection', 'close']);
  expect(headers).toEqual(['host', 'x-own', 'connection']);
  expect(distinct).toEqual(['host', 'x-own', 'connection']);
});

test('internal head: a Node that counts otherwise: the same', async () => {
  const breakCount = (req: IncomingMessage): void => {
    const symbol = Object.getOwnPropertySymbols(req).find(({ description }) => description === 'kHeadersCount');
    if (symbol === undefined) throw new Error('this Node counts otherwise already');
    void [req.headers, req.headersDistinct];
    Reflect.set(req, symbol, -1);
  };
  const { head, raw, headers, distinct } = await seen([...base, ...internal, 'connection', 'close'], breakCount);
  expect(head).toMatchObject({ request: request32 });
  expect(raw).toEqual([...base, 'connection', 'close']);
  expect([headers, distinct]).toEqual([
    ['host', 'x-own', 'connection'],
    ['host', 'x-own', 'connection'],
  ]);
});

test.each([
  ['none', []],
  ['a bad request id', ['limpet-request', 'x', 'limpet-view', '1.1']],
  ['no view', ['limpet-request', request32]],
  ['attempt 0', ['limpet-request', request32, 'limpet-view', '1.1', 'limpet-attempt', '0']],
  ['not the last', ['limpet-request', request32, 'limpet-view', '1.1', 'x-later', '1']],
  ['twice', ['limpet-request', request32, 'limpet-view', '1.1', 'limpet-view', '1.2']],
])('internal head: %s: not from a balancer', async (_name, lines) => {
  expect((await seen([...base, ...lines, 'connection', 'close'])).head).toBeNull();
});

test('internal head: a client header of the same name earlier: says nothing', async () => {
  const { head } = await seen([
    'host',
    'a',
    'limpet-session',
    'evil',
    'x-own',
    '1',
    ...internal,
    'connection',
    'close',
  ]);
  expect(head?.session).toBeNull();
});
