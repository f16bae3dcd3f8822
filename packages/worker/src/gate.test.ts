import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { parseRequestId } from '@limpet/core';
import type { Participant, RequestContext, Verdict } from '@limpet/session';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Exchange, Gate } from './gate.ts';

const id = parseRequestId('0123456789abcdef0123456789abcdef');
if (id === null) throw new Error('a request id');

/** A participant that does what the test says at each commit point. */
class Scripted extends EventEmitter implements Participant {
  readonly answers: (Uint8Array | null)[] = [];
  deliveries = 0;
  readonly #reach: (point: number) => Verdict | Promise<Verdict>;

  constructor(reach: (point: number) => Verdict | Promise<Verdict>) {
    super();
    this.#reach = reach;
  }
  reach(answer: Uint8Array | null): Verdict | Promise<Verdict> {
    this.answers.push(answer);
    this.emit('reached');
    return this.#reach(this.answers.length);
  }
  delivered(): void {
    this.deliveries++;
  }
  end(): void {}
  held(): null {
    return null;
  }
}

type App = (req: IncomingMessage, res: ServerResponse) => void;
let server: Server | null = null;

afterEach(() => {
  server?.close();
  server = null;
});

/** A server with a gate on every connection, as admission puts it there. */
async function serve(app: App, participant: Participant | null, pieceWaitMs = 5_000): Promise<number> {
  const http = createServer((req, res) => {
    const context: RequestContext = {
      request: id as NonNullable<typeof id>,
      session: null,
      keyed: null,
      waitLeftMs: pieceWaitMs,
      participant,
      isOver: false,
    };
    const lines = () => `limpet-request: ${id}\r\nlimpet-view: 1.7\r\n`;
    const exchange: Exchange = { context, response: res, lines, pieceWaitMs };
    gates.get(req.socket)?.begin(exchange);
    res.once('finish', () => participant?.delivered());
    app(req, res);
  });
  const gates = new WeakMap<object, Gate>();
  http.prependListener('connection', (socket) => gates.set(socket, new Gate(socket)));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  server = http;
  return (http.address() as AddressInfo).port;
}

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function get(port: number, method = 'GET'): Promise<Got> {
  const sent = request({ port, host: '127.0.0.1', method, agent: false }).end();
  const [res] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const piece of res.setEncoding('latin1')) body += piece;
  return { status: res.statusCode ?? 0, headers: res.headers, body };
}

/** All bytes of one connection, until the server or `stop` ends it. */
async function raw(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  let text = '';
  try {
    for await (const piece of socket.setEncoding('latin1')) text += piece;
  } catch {
    text += '<reset>';
  }
  return text;
}

const safe: Verdict = { kind: 'safe' };
const hold = (verdict: Verdict, ms = 50): Promise<Verdict> =>
  new Promise((resolve) => setTimeout(resolve, ms, verdict));

describe('gate: every kind of response is held and comes complete', () => {
  const five = 'x'.repeat(5 * 1024 * 1024);
  const kinds: [name: string, app: App, expected: Partial<Got>, method?: string][] = [
    ['end with a string', (_, res) => res.end('hello'), { status: 200, body: 'hello' }],
    ['end with nothing', (_, res) => res.end(), { status: 200, body: '' }],
    ['end with a buffer', (_, res) => res.end(Buffer.from('bytes')), { body: 'bytes' }],
    [
      'writeHead and end',
      (_, res) => res.writeHead(201, { 'content-length': 2 }).end('ok'),
      { status: 201, body: 'ok' },
    ],
    ['write, write, end', writes(['a', 'b', 'c']), { body: 'abc' }],
    [
      'text beyond latin1',
      (_, res) => res.end('\u00e9\u20ac'),
      { body: Buffer.from('\u00e9\u20ac').toString('latin1') },
    ],
    ['flushHeaders, later end', flushed, { body: 'late' }],
    [
      'piped 5 MB',
      (_, res) => void Readable.from([five.slice(0, 3_000_000), five.slice(3_000_000)]).pipe(res),
      { body: five },
    ],
    ['one write of 5 MB', (_, res) => res.end(five), { body: five }],
    ['a loop that waits for drain', drainLoop, { body: 'y'.repeat(64 * 20_000) }],
    ['204', (_, res) => res.writeHead(204).end(), { status: 204, body: '' }],
    ['304', (_, res) => res.writeHead(304).end(), { status: 304, body: '' }],
    ['HEAD', (_, res) => res.writeHead(200, { 'content-length': 5 }).end(), { status: 200, body: '' }, 'HEAD'],
    ['early hints before', earlyHints, { status: 200, body: 'hinted' }],
    ['102 before', interim, { status: 200, body: 'after' }],
    ['trailers', trailers, { status: 200, body: 'trailed' }],
    ['write after a while', writes(['1', '2'], 30), { body: '12' }],
    ['500 by hand', (_, res) => res.writeHead(500).end('broken'), { status: 500, body: 'broken' }],
    ['cork and uncork', corked, { body: 'kl' }],
  ];
  test.each(kinds)('%s', async (_name, app, expected, method) => {
    let safeAt = 0;
    const participant = new Scripted(() =>
      hold(safe).then((verdict) => {
        safeAt ||= performance.now();
        return verdict;
      }),
    );
    const got = await get(await serve(app, participant), method);
    expect(got).toMatchObject(expected);
    expect(got.headers).toMatchObject({ 'limpet-request': id, 'limpet-view': '1.7' });
    expect(safeAt).toBeGreaterThan(0);
    // The client may have the last byte before this process learns that the kernel has taken it.
    await vi.waitFor(() => expect(participant.deliveries).toBe(1), { timeout: 10_000 });
  });

  function writes(pieces: readonly string[], pauseMs = 0): App {
    return async (_, res) => {
      for (const piece of pieces) {
        if (piece === pieces.at(-1)) {
          res.end(piece);
          return;
        }
        res.write(piece);
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    };
  }
  function flushed(_: IncomingMessage, res: ServerResponse): void {
    res.flushHeaders();
    setImmediate(() => res.end('late'));
  }
  function corked(_: IncomingMessage, res: ServerResponse): void {
    res.cork();
    res.write('k');
    res.uncork();
    res.end('l');
  }
  async function drainLoop(_: IncomingMessage, res: ServerResponse): Promise<void> {
    for (let at = 0; at < 20; at++) if (!res.write('y'.repeat(64_000))) await once(res, 'drain');
    res.end();
  }
  function earlyHints(_: IncomingMessage, res: ServerResponse): void {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' });
    res.end('hinted');
  }
  function interim(_: IncomingMessage, res: ServerResponse): void {
    res.writeProcessing();
    res.end('after');
  }
  function trailers(_: IncomingMessage, res: ServerResponse): void {
    res.writeHead(200, { trailer: 'x-sum' });
    res.write('trailed');
    res.addTrailers({ 'x-sum': '1' });
    res.end();
  }
});

test.each([
  ['with a session', true],
  ['without one', false],
])(
  'gate: 100 that nobody asked for, %s: left out, for the balancer would refuse the answer; 102 passes',
  async (_, has) => {
    const app: App = (_req, res) => {
      res.writeContinue();
      res.writeProcessing();
      res.end('after');
    };
    const text = await raw(await serve(app, has ? new Scripted(() => safe) : null));
    expect(text).toMatch(/^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 200 OK\r\nlimpet-request: /);
    expect(text).toMatch(/\r\n\r\nafter$/);
  },
);

describe('gate: what the commit is given', () => {
  test('gate: complete at the commit point: the whole answer without the injected lines', async () => {
    const participant = new Scripted(() => safe);
    await get(await serve((_, res) => res.end('whole'), participant));
    const text = Buffer.from(participant.answers[0] ?? []).toString();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/\r\n\r\nwhole$/);
    expect(text).not.toContain('limpet-');
    expect(participant.answers).toHaveLength(1);
  });

  test('gate: larger than 64 KiB: no answer', async () => {
    const participant = new Scripted(() => safe);
    await get(await serve((_, res) => res.end('z'.repeat(65 * 1024)), participant));
    expect(participant.answers.every((answer) => answer === null)).toBe(true);
  });

  test('gate: head flushed first: no answer, at no point', async () => {
    const participant = new Scripted(() => safe);
    const app: App = (_, res) => {
      res.flushHeaders();
      res.end('x');
    };
    expect((await get(await serve(app, participant))).body).toBe('x');
    expect(participant.answers.every((answer) => answer === null)).toBe(true);
  });
});

describe('gate: verdicts', () => {
  const verdicts: readonly (readonly [Verdict, number, string])[] = [
    [{ kind: 'gone' }, 409, 'gone'],
    [{ kind: 'unloaded', why: 'deadline' }, 503, 'not-executed'],
    [{ kind: 'unloaded', why: 'moved' }, 421, 'not-executed'],
    [{ kind: 'unknown', why: 'deadline' }, 504, 'unknown'],
    [{ kind: 'unknown', why: 'handed-over' }, 502, 'unknown'],
    [{ kind: 'duplicate', answer: null }, 502, 'executed'],
  ];
  test.each(verdicts)('gate: %o: nothing of the held answer leaves', async (verdict, status, outcome) => {
    const app: App = (_, res) => void Readable.from(['secret'.repeat(100_000)]).pipe(res);
    const text = await raw(await serve(app, new Scripted(() => hold(verdict, 5))));
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toContain(`limpet-verdict: ${outcome}\r\n`);
    expect(text).toContain(`limpet-request: ${id}\r\n`);
    expect(text).not.toContain('secret');
  });

  test('gate: duplicate with its answer: those bytes instead', async () => {
    const answer = Buffer.from('HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nfirst');
    const text = await raw(
      await serve((_, res) => res.end('second'), new Scripted(() => ({ kind: 'duplicate', answer }))),
    );
    expect(text).toMatch(/^HTTP\/1\.1 201 Created\r\nlimpet-request: .*\r\nlimpet-view: 1\.7\r\n.*\r\n\r\nfirst$/s);
  });

  test('gate: the deadline with no verdict: 504 unknown, and a late verdict changes nothing', async () => {
    const text = await raw(await serve((_, res) => res.end('late'), new Scripted(() => hold(safe, 200)), 30));
    expect(text).toMatch(/^HTTP\/1\.1 504 /);
    expect(text).not.toContain('late');
  });

  test('gate: a bad verdict after the head is out: the connection is cut', async () => {
    const app: App = (_, res) => {
      res.write('part one');
      setTimeout(() => res.end('part two'), 20);
    };
    const participant = new Scripted((point) => (point === 1 ? safe : { kind: 'gone' }));
    const text = await raw(await serve(app, participant));
    expect(text).toContain('part one');
    expect(text).not.toContain('part two');
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
  });
});

test('gate: a stream begun before the session changed: only what follows waits', async () => {
  let release: (verdict: Verdict) => void = () => {};
  const second = new Promise<Verdict>((resolve) => {
    release = resolve;
  });
  const participant = new Scripted((point) => (point === 1 ? safe : second));
  const app: App = (_, res) => {
    res.write('first');
    setTimeout(() => res.end('second'), 10);
  };
  const port = await serve(app, participant);
  const sent = request({ port, host: '127.0.0.1', agent: false }).end();
  const [res] = (await once(sent, 'response')) as [IncomingMessage];
  const [first] = await once(res.setEncoding('utf8'), 'data');
  expect(first).toBe('first');
  if (participant.answers.length < 2) await once(participant, 'reached');
  let more = '';
  res.on('data', (piece) => {
    more += piece;
  });
  await new Promise(setImmediate);
  expect(more).toBe('');
  release(safe);
  await once(res, 'end');
  expect(more).toBe('second');
});

test('gate: no participant: passes in the same tick', async () => {
  const got = await get(await serve((_, res) => res.end('free'), null));
  expect(got).toMatchObject({ status: 200, body: 'free', headers: { 'limpet-request': id } });
});
