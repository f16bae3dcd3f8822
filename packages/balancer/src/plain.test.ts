import { nodeIdAt } from '@limpet/core';
import { afterEach, describe, expect, test } from 'vitest';
import { get, raw, TestCluster } from '../testing/harness.ts';

const n1 = nodeIdAt(1);
let cluster: TestCluster;
afterEach(() => cluster.close());

const namesOf = (rawHeaders: readonly string[]) =>
  rawHeaders.filter((_, at) => at % 2 === 0).map((n) => n.toLowerCase());

describe('plain path', () => {
  test('target: odd path and query: reach the worker byte for byte', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    const path = '//evil.com/%2e%2e/a//b/../c;x=1?q=%20+&&a[]=\u00e9';
    // llhttp takes no raw 8-bit bytes in a target, so this one goes without.
    const answer = await raw(port, get(path.replace('\u00e9', '%C3%A9')));
    expect(answer.status).toBe(200);
    expect(answer.body).toBe('ok');
    expect(cluster.worker(n1).received[0]?.url).toBe(path.replace('\u00e9', '%C3%A9'));
  });

  test('target: absolute form: origin form with its own host', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    expect((await raw(port, get('http://b.example:81?x=1'))).status).toBe(200);
    const got = cluster.worker(n1).received[0];
    expect(got?.url).toBe('/?x=1');
    expect(got?.headers.host).toBe('b.example:81');
  });

  test('head: hop-by-hop, internal and disguised fields: none reaches the worker', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    const lines = [
      'Connection: x-private',
      'X-Private: 1',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Proxy-Authorization: Basic x',
      'Limpet-Session: forged',
      'limpet_session: forged',
      'X_Forwarded_For: 6.6.6.6',
      'X-Forwarded-For: 6.6.6.6',
      'X-Forwarded-Proto: https',
      'Forwarded: for=6.6.6.6',
      'X-Real-IP: 6.6.6.6',
      'Cookie: a=1',
      'Cookie: JSESSIONID=forged',
      'X-Kept: 1',
    ];
    expect((await raw(port, get('/', lines))).status).toBe(200);
    const got = cluster.worker(n1).received[0];
    const names = namesOf(got?.rawHeaders ?? []);
    for (const gone of [
      'x-private',
      'te',
      'proxy-authorization',
      'limpet_session',
      'x_forwarded_for',
      'forwarded',
      'x-real-ip',
      'limpet-session',
    ]) {
      expect(names).not.toContain(gone);
    }
    expect(got?.headers.cookie).toBe('a=1; JSESSIONID=forged');
    expect(got?.headers['x-kept']).toBe('1');
    expect(got?.headers['x-forwarded-for']).toBe('127.0.0.1');
    expect(got?.headers['x-forwarded-proto']).toBe('http');
    expect(got?.headers['x-forwarded-host']).toBe('a.example');
    expect(got?.headers['limpet-request']).toMatch(/^[0-9a-f]{32}$/);
    expect(got?.headers['limpet-view']).toBe('1.1');
    expect(got?.headers['limpet-attempt']).toBe('1');
  });

  test('head: X-Forwarded-* from a trusted proxy: believed and extended', async () => {
    cluster = new TestCluster({ nodes: 1, welcome: { trustProxy: ['127.0.0.0/8'] } });
    const port = await cluster.start();
    await raw(
      port,
      get('/', ['X-Forwarded-For: 1.2.3.4', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: shop.example']),
    );
    const headers = cluster.worker(n1).received[0]?.headers;
    expect(headers?.['x-forwarded-for']).toBe('1.2.3.4, 127.0.0.1');
    expect(headers?.['x-forwarded-proto']).toBe('https');
    expect(headers?.['x-forwarded-host']).toBe('shop.example');
  });

  test('answer: internal and hop-by-hop fields removed, several Set-Cookie kept, HEAD without a body', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start((_, response) => {
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.setHeader('Connection', 'keep-alive, x-private');
      response.setHeader('X-Private', '1');
      response.setHeader('Content-Length', '5');
      response.end('hello');
    });
    const answer = await raw(port, get('/'));
    expect(answer.head.match(/set-cookie: /gi)).toHaveLength(2);
    expect(answer.head).not.toMatch(/limpet-|x-private/i);
    expect(answer.body).toBe('hello');
    const head = await raw(port, get('/', [], 'HEAD'));
    expect(head.head).toMatch(/content-length: 5/i);
    expect(head.body).toBe('');
  });

  test('sessions: a valid id in the cookie: always its home, named to the worker', async () => {
    cluster = new TestCluster({ nodes: 3 });
    const port = await cluster.start();
    for (const node of cluster.view.ring) {
      const id = cluster.sessionAt(node);
      for (let time = 0; time < 3; time++) await raw(port, get('/', [`Cookie: JSESSIONID=forged; JSESSIONID=${id}`]));
      const got = cluster.worker(node).received;
      expect(got).toHaveLength(3);
      expect(got[0]?.headers['limpet-session']).toBe(id);
    }
  });

  test('framing: chunked DELETE with a hidden request: the victim after it arrives unmodified', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const bodies: string[] = [];
    const port = await cluster.start((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        bodies.push(body);
        response.end('ok');
      });
    });
    const hidden = 'GET /secret HTTP/1.1\r\nHost: a\r\n\r\n';
    for (const method of ['DELETE', 'GET', 'OPTIONS', 'POST', 'QUERY']) {
      const attack = `${method} /attack HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
      const answer = await raw(port, attack + get('/victim', ['X-Victim: 1']));
      expect(answer.text.match(/HTTP\/1\.1 200/g), method).toHaveLength(2);
    }
    const urls = cluster.worker(n1).received.map((got) => got.url);
    expect(urls).toEqual(Array.from({ length: 5 }, () => ['/attack', '/victim']).flat());
    expect(bodies).toEqual(Array.from({ length: 5 }, () => [hidden, '']).flat());
    for (const got of cluster.worker(n1).received) {
      const framing = namesOf(got.rawHeaders).filter(
        (name) => name === 'content-length' || name === 'transfer-encoding',
      );
      expect(framing.length).toBeLessThanOrEqual(1);
    }
  });

  test('framing: length with leading zeros: written anew', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    await raw(port, `${get('/', ['Content-Length: 0003'], 'POST')}abc`);
    expect(cluster.worker(n1).received[0]?.headers['content-length']).toBe('3');
  });

  test('expect: 100-continue answered here, anything else 417', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    const answer = await raw(port, `${get('/', ['Content-Length: 3', 'Expect: 100-continue'], 'POST')}abc`);
    expect(answer.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/);
    expect(cluster.worker(n1).received[0]?.headers.expect).toBeUndefined();
    expect((await raw(port, `${get('/', ['Content-Length: 3', 'Expect: 200-ok'], 'POST')}abc`)).status).toBe(417);
  });

  test('interim: 103 early hints: relayed to HTTP/1.1', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start((_, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      response.end('ok');
    });
    const answer = await raw(port, get('/'));
    expect(answer.text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style.css>/);
    expect(answer.text).toContain('HTTP/1.1 200');
  });
});

describe('refusals', () => {
  const cases: readonly [name: string, bytes: string, status: number][] = [
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['bad host', 'GET / HTTP/1.1\r\nHost: a b/../@x\r\n\r\n', 400],
    ['empty host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
    ['fragment', get('/a#b'), 400],
    ['asterisk with GET', get('*'), 400],
    ['OPTIONS *', get('*', [], 'OPTIONS'), 204],
    ['TRACE', get('/', [], 'TRACE'), 405],
    ['CONNECT', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n', 405],
    ['HTTP/0.9', 'GET /\r\n\r\n', 505],
    ['HTTP/2.0 line', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    ['HTTP/1.0 without host', 'GET / HTTP/1.0\r\n\r\n', 200],
    ['coding in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['TE.TE', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n', 400],
    ['gzip, chunked', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 400],
    [
      'length and coding',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['Connection names Cookie', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Cookie\r\nCookie: a=1\r\n\r\n', 400],
    [
      'Connection names X-Forwarded-For',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Forwarded-For\r\n\r\n',
      400,
    ],
    [
      'Connection names an internal field',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Limpet-Request\r\n\r\n',
      400,
    ],
    ['head too large', get('/', [`X: ${'a'.repeat(17_000)}`]), 431],
    [
      'too many lines',
      get(
        '/',
        Array.from({ length: 300 }, () => 'a: b'),
      ),
      431,
    ],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ];
  test('bad input: every case: its status, one answer, nothing at the worker', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    for (const [name, bytes, status] of cases) {
      const answer = await raw(port, bytes);
      expect(answer.status, name).toBe(status);
      expect(answer.text.match(/HTTP\/1\.1 \d/g), name).toHaveLength(1);
      if (status >= 400) expect(answer.head, name).toMatch(/connection: close/i);
    }
    expect(cluster.worker(n1).received).toHaveLength(1);
  });

  test('h2c upgrade: served as HTTP/1.1 without it', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    const bytes =
      'GET /h HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n';
    const answer = await raw(port, bytes + get('/second'));
    expect(answer.text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(cluster.worker(n1).received.map((got) => got.url)).toEqual(['/h', '/second']);
    expect(cluster.worker(n1).received[0]?.headers.upgrade).toBeUndefined();
  });
});
