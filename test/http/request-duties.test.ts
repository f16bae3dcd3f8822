import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { forwarded, received, refusal, request } from './duties.ts';
import { answerWithTarget } from './recording-upstream.ts';
import { Rig } from './rig.ts';

/**
 * What an intermediary owes a request (RFC 9110, 9112). Every test compares the bytes that the upstream received; the
 * numbers are those of docs/http.md.
 */

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
beforeEach(() => {
  rig.upstream.script = answerWithTarget;
});
afterAll(async () => {
  expect(rig.failures).toEqual([]);
  await rig.close();
});

describe('fields', () => {
  test('D1: listed by Connection, or for one connection: removed; unlisted: kept as it is', async () => {
    const lines = [
      'Connection: close, X-Listed, TE',
      'x-LISTED: 1',
      'X-Kept: 1',
      'Keep-Alive: timeout=9',
      'Proxy-Connection: keep-alive',
      'TE: trailers, deflate',
      'Trailer: X-After',
      'Upgrade: foo',
      'Proxy-Authorization: Basic eA==',
    ];
    expect(await received(rig, request('/d1', lines))).toBe(forwarded('GET /d1 HTTP/1.1', ['X-Kept: 1']));
  });

  test('D1: what is no name beside one in Connection: names nothing', async () => {
    const lines = ['Connection: \xa0X-Kept, \x85x-kept', 'X-Kept: 1'];
    expect(await received(rig, request('/d1', lines))).toBe(forwarded('GET /d1 HTTP/1.1', ['X-Kept: 1']));
  });

  test('D1: trailers, listed or not: none is forwarded', async () => {
    const lines = ['Connection: x-listed', 'Transfer-Encoding: chunked', 'Trailer: X-Listed, X-Other'];
    const body = '3\r\nabc\r\n0\r\nX-Listed: 1\r\nX-Other: 2\r\n\r\n';
    expect(await received(rig, request('/d1', lines, 'POST', body))).toBe(
      forwarded('POST /d1 HTTP/1.1', [], { framing: ['content-length: 3'], body: 'abc' }),
    );
  });

  test('D3: Via: appended to what came, with the version it came by', async () => {
    expect(await received(rig, request('/d3', ['Via: 1.0 fred, 1.1 p.example (x)']))).toBe(
      forwarded('GET /d3 HTTP/1.1', [], { via: '1.0 fred, 1.1 p.example (x), 1.1 <cluster>' }),
    );
    expect(await received(rig, request('/d3', [], 'GET', '', '1.0'))).toBe(
      forwarded('GET /d3 HTTP/1.1', [], { via: '1.0 <cluster>' }),
    );
  });

  test('D4: own name in Via: 508; the name of another cluster: forwarded', async () => {
    await received(rig, request('/d4'));
    const own = /Via: 1\.1 (limpet-[0-9a-f]{8})\r/.exec(rig.upstream.bytes)?.[1] ?? '';
    for (const lines of [
      [`Via: 1.1 ${own}`],
      [`Via: 1.1 x, 1.0\t${own} (c), 1.1 y`],
      ['Via: 1.1 x', `Via: 1.1 ${own}`],
    ]) {
      expect((await refusal(rig, request('/d4', lines))).status, lines.join()).toBe(508);
    }
    const other = 'Via: 1.1 limpet-00000000, 1.1 limpet';
    expect(await received(rig, request('/d4', [other, `X-Via: ${own}`]))).toContain('1.1 limpet, 1.1 <cluster>\r\n');
  });

  test('D29: fields of the app: forwarded byte for byte, in their order, spelling and number', async () => {
    const lines = [
      'AuthoriZation: Basic  dTpw',
      'x-dup: 2',
      'X-Unknown: \xe9\xc3\xa9\xff "q\\"',
      'X-Dup: 1',
      'x-DUP: 1',
      'If-None-Match: W/"a", "b"',
      'If-Modified-Since: yesterday',
      'Range: bytes=0-0,-1',
      'Cache-Control: no-transform',
      'Accept-Encoding: br;q=1.0, gzip',
      'X-Empty:',
      'X-Long: a\t b',
      '__proto__: x',
      'constructor: y',
    ];
    const seen = lines.map((line) => (line === 'X-Empty:' ? 'X-Empty: ' : line));
    expect(await received(rig, request('/d29', lines))).toBe(forwarded('GET /d29 HTTP/1.1', seen));
  });

  test('D31: several Cookie lines: one, at the place of the first', async () => {
    expect(await received(rig, request('/d31', ['Cookie: a=1', 'X: 1', 'cookie: b="2"; c']))).toBe(
      forwarded('GET /d31 HTTP/1.1', ['Cookie: a=1; b="2"; c', 'X: 1']),
    );
  });
});

describe('start line', () => {
  test('D5: the version of the client: never forwarded', async () => {
    expect(await received(rig, request('/d5', [], 'GET', '', '1.0'))).toMatch(/^GET \/d5 HTTP\/1\.1\r\n/);
    for (const version of ['0.9', '1.2', '2.0', '3.0']) {
      expect([400, 505], version).toContain((await refusal(rig, request('/d5', [], 'GET', '', version))).status);
    }
  });

  test.each([
    ['missing', 'GET / HTTP/1.1\r\n\r\n'],
    ['empty', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['twice', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    ['twice in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a path', 'GET / HTTP/1.1\r\nHost: a b/../@x\r\n\r\n'],
    ['user information', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n'],
    ['a list', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n'],
    ['invalid beside an absolute target', 'GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n'],
  ])('D6: Host: %s: 400', async (_, text) => {
    expect((await refusal(rig, text)).status).toBe(400);
  });

  test.each([
    ['GET http://b.example/p?q=/../ HTTP/1.1', 'GET /p?q=/../ HTTP/1.1', 'b.example'],
    ['GET HTTP://B.example:81 HTTP/1.1', 'GET / HTTP/1.1', 'B.example:81'],
    ['GET https://[::1]:443?q HTTP/1.1', 'GET /?q HTTP/1.1', '[::1]:443'],
  ])('D7: %s: origin form, Host from the target', async (line, seen, host) => {
    expect(await received(rig, `${line}\r\nHost: a\r\n\r\n`)).toBe(forwarded(seen, [], { host }));
  });

  test.each([
    ['CONNECT with a good target', 'CONNECT b:443 HTTP/1.1\r\nHost: b\r\n\r\n', 405],
    ['CONNECT without a port', 'CONNECT b HTTP/1.1\r\nHost: b\r\n\r\n', 400],
    ['CONNECT with port 0', 'CONNECT b:0 HTTP/1.1\r\nHost: b\r\n\r\n', 400],
    ['CONNECT with port 65536', 'CONNECT b:65536 HTTP/1.1\r\nHost: b\r\n\r\n', 400],
    ['* with GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 204],
    ['OPTIONS of a whole server, absolute', 'OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n', 204],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\nCookie: s=1\r\n\r\n', 405],
    ['a relative target', 'GET foo HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['user information in the target', 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ])('D8: %s: %# answered here', async (_, text, status) => {
    expect((await refusal(rig, text)).status).toBe(status);
  });

  test('D9: path and query: not one byte is changed', async () => {
    for (const target of [
      '//evil.com/%2e%2e/a//b/../c;x=1?q=%20+&&a[]=|^`{}"<>\\',
      '/%zz/%00/%c3%28',
      '/.//../..?/../',
      '/?',
      '/a?b?c',
      `/${'x'.repeat(8_000)}`,
    ]) {
      expect(await received(rig, request(target))).toBe(forwarded(`GET ${target} HTTP/1.1`, []));
    }
  });

  test('D18: Max-Forwards: 0 is answered here for OPTIONS and TRACE, more is one less, others do not count', async () => {
    const zero = await refusal(rig, request('/d18', ['Max-Forwards: 0'], 'OPTIONS'));
    expect([zero.status, zero.fields.find(([name]) => name === 'Allow')?.[1]]).toEqual([
      204,
      'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
    ]);
    expect((await refusal(rig, request('/d18', ['Max-Forwards: 0'], 'TRACE'))).status).toBe(405);
    expect((await refusal(rig, request('/d18', ['Max-Forwards: 9'], 'TRACE'))).status).toBe(405);
    expect(await received(rig, request('/d18', ['max-forwards: 010'], 'OPTIONS'))).toBe(
      forwarded('OPTIONS /d18 HTTP/1.1', ['max-forwards: 9']),
    );
    expect(await received(rig, request('/d18', ['Max-Forwards: 0']))).toContain('\r\nMax-Forwards: 0\r\n');
    for (const lines of [['Max-Forwards: -1'], ['Max-Forwards: 1', 'Max-Forwards: 1'], ['Max-Forwards: 1, 1']]) {
      expect((await refusal(rig, request('/d18', lines, 'OPTIONS'))).status, lines.join()).toBe(400);
    }
  });

  test('D32: too much of something: 414, 431, 501', async () => {
    const line = 'GET  HTTP/1.1'.length;
    expect(await received(rig, request(`/${'x'.repeat(8_191)}`))).toContain('xxx HTTP/1.1\r\n');
    expect((await refusal(rig, request(`/${'x'.repeat(8_192)}`))).status).toBe(414);
    expect((await refusal(rig, request(`/${'x'.repeat(17_000 - line)}`))).status).toBe(431);
    const many = (count: number) => Array.from({ length: count }, (_, at) => `X-${at}: 1`);
    expect(await received(rig, request('/', many(198)))).toContain('\r\nX-197: 1\r\n');
    expect((await refusal(rig, request('/', many(199)))).status).toBe(431);
    expect((await refusal(rig, request('/', [...many(2_100), 'Cookie: JSESSIONID=late']))).status).toBe(431);
    expect(await received(rig, request('/', [`X: ${'a'.repeat(16_000)}`]))).toContain('aaa\r\n');
    expect((await refusal(rig, request('/', [`X: ${'a'.repeat(16_400)}`]))).status).toBe(431);
    expect((await refusal(rig, request('/', [], 'X'.repeat(40)))).status).toBe(501);
    expect((await refusal(rig, request('/', [], 'FOO'))).status).toBe(400);
  });
});

describe('framing', () => {
  test.each([
    ['length and coding', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '1.1'],
    ['coding and length', ['Transfer-Encoding: chunked', 'Content-Length: 5'], '1.1'],
    ['a coding in HTTP/1.0', ['Transfer-Encoding: chunked'], '1.0'],
    ['chunked not final', ['Transfer-Encoding: chunked, gzip'], '1.1'],
    ['another coding before it', ['Transfer-Encoding: gzip, chunked'], '1.1'],
    ['an empty member', ['Transfer-Encoding: ,chunked'], '1.1'],
    ['chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '1.1'],
    ['two lengths', ['Content-Length: 5', 'Content-Length: 5'], '1.1'],
    ['a list of lengths', ['Content-Length: 5, 5'], '1.1'],
  ])('D10: %s: 400 and the connection is closed', async (_, lines, version) => {
    const text = request('/d10', lines, 'POST', '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n', version);
    expect((await refusal(rig, text)).status).toBe(400);
  });

  test.each([
    ['D11: a folded line', 'X: a\r\n b'],
    ['D11: a folded first line', ' X: a'],
    ['D12: a space before the colon', 'X : a'],
    ['D12: a tab before the colon', 'Content-Length\t: 0'],
    ['D13: a bare CR', 'X: a\rY: b'],
    ['D13: a bare LF', 'X: a\nY: b'],
    ['D13: a CR at the end', 'X: a\r'],
  ])('%s: 400', async (_, line) => {
    expect((await refusal(rig, request('/d11', [line]))).status).toBe(400);
  });

  test('D14: chunk sizes: any spelling, extensions dropped; too large, signed or prefixed: 400', async () => {
    const chunked = (body: string) => request('/d14', ['Transfer-Encoding: chunked'], 'POST', body);
    const seen = forwarded('POST /d14 HTTP/1.1', [], { framing: ['content-length: 10'], body: '0123456789' });
    for (const body of [
      'a\r\n0123456789\r\n0\r\n\r\n',
      '0000A;x=y;z="a\\"b"\r\n0123456789\r\n000;last\r\n\r\n',
      '1\r\n0\r\n9\r\n123456789\r\n0\r\n\r\n',
    ]) {
      expect(await received(rig, chunked(body)), body).toBe(seen);
    }
    for (const size of ['10000000000000003', 'fffffffffffffffff', '0x3', '-3', '+3', '3_', ' 3', '']) {
      expect((await refusal(rig, chunked(`${size}\r\nabc\r\n0\r\n\r\n`))).status, size).toBe(400);
    }
    expect([400, 413]).toContain((await refusal(rig, chunked(`3;${'a'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`))).status);
  });

  test('D15: trailers: never become headers; those that would frame a message: 400', async () => {
    const chunked = (trailer: string) =>
      request('/d15', ['Transfer-Encoding: chunked', 'Cookie: a=1'], 'POST', `3\r\nabc\r\n0\r\n${trailer}\r\n\r\n`);
    for (const trailer of [
      'Cookie: JSESSIONID=x',
      'Limpet-Session: x',
      'X-Forwarded-For: 6.6.6.6',
      'Authorization: x',
    ]) {
      expect(await received(rig, chunked(trailer)), trailer).toBe(
        forwarded('POST /d15 HTTP/1.1', ['Cookie: a=1'], { framing: ['content-length: 3'], body: 'abc' }),
      );
    }
    for (const trailer of ['Content-Length: 9', 'Transfer-Encoding: chunked']) {
      expect((await refusal(rig, chunked(trailer))).status, trailer).toBe(400);
    }
  });
});
