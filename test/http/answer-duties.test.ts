import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answerHead, answering, request, seenHead } from './duties.ts';
import { answerTo, answerWithTarget } from './recording-upstream.ts';
import { Rig } from './rig.ts';
import { valuesOf } from './strict-reader.ts';

/**
 * What an intermediary owes an answer (RFC 9110, 9112). Every test compares the bytes that the client received; the numbers are those of docs/http.md.
 */

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
beforeEach(() => {
  rig.upstream.script = answerWithTarget;
  rig.upstream.onBytes = () => {};
});
afterAll(async () => {
  expect(rig.failures).toEqual([]);
  await rig.close();
});

describe('answers', () => {
  test('D16: interim answers: forwarded with their fields, in order, 100 and internal lines excepted', async () => {
    rig.upstream.script = (got, connection) =>
      connection.send(
        'HTTP/1.1 102 Processing\r\n\r\n' +
          'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload, <b>; odd="\xe9"\r\nX-Hint: 1\r\nlimpet-view: 1.1\r\n\r\n' +
          'HTTP/1.1 103 x\r\nX-No-Link: 1\r\n\r\n' +
          answerTo(got, 'ok'),
      );
    const client = await rig.ask(request('/d16'));
    expect(client.text.slice(0, client.text.indexOf('HTTP/1.1 200'))).toBe(
      'HTTP/1.1 102 Processing\r\n\r\n' +
        'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload, <b>; odd="\xe9"\r\nX-Hint: 1\r\n\r\n' +
        'HTTP/1.1 103 Early Hints\r\nX-No-Link: 1\r\n\r\n',
    );
    expect(client.answer?.body).toBe('ok');
  });

  test('D16: interim answers to HTTP/1.0: none; ten thousand: sixteen', async () => {
    const flood = 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(10_000);
    rig.upstream.script = (got, connection) => connection.send(flood + answerTo(got, 'ok'));
    const old = await rig.ask(request('/d16', [], 'GET', '', '1.0'));
    expect([old.answers.interims.length, old.answer?.body]).toEqual([0, 'ok']);
    const client = await rig.ask(request('/d16'));
    expect([client.answers.interims.length, client.answer?.body]).toEqual([16, 'ok']);
  });

  test('D22: the worker answers nonsense: 502; not at all: 503 with Retry-After; 421 is never let out', async () => {
    rig.upstream.script = (_, connection) => connection.send('SSH-2.0-x\r\n');
    expect((await rig.ask(request('/d22', [], 'POST'))).answer?.status).toBe(502);
    const before = rig.upstream.requests.length;
    rig.upstream.script = (got, connection) =>
      connection.send(answerTo(got, '', ['limpet-verdict: not-executed'], '421 Misdirected Request'));
    const { answer } = await rig.ask(request('/d22', [], 'POST'));
    expect([answer?.status, valuesOf(answer?.fields ?? [], 'retry-after')]).toEqual([503, ['1']]);
    expect(rig.upstream.requests.length - before).toBe(4);
  });

  test.each([
    ['a length', ['Content-Length: 100000'], 'x'.repeat(70_000)],
    ['chunks', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n5\r\nde'],
    ['chunks without the last', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n'],
  ])('D23: an answer cut in its middle, by %s: incomplete for the client too', async (_, lines, body) => {
    rig.upstream.script = (got, connection) => {
      connection.send(answerHead(got, lines) + body);
      setImmediate(() => connection.socket.end());
    };
    const client = rig.client();
    client.send(request('/d23', [], 'POST'));
    await client.closed();
    expect(client.answers.rest).toBe('incomplete');
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('D23: an answer that ends with its connection: ends so for the client', async () => {
    rig.upstream.script = (got, connection) => {
      connection.send(`${answerHead(got, [])}all of it`);
      connection.socket.end();
    };
    const client = await rig.ask(request('/d23'));
    expect(seenHead(client)).toEqual(['HTTP/1.1 200 OK']);
    expect(client.text).toMatch(/\r\nConnection: close\r\n/);
    expect(client.answer?.body).toBe('all of it');
  });

  test.each([
    ['HEAD', 'HEAD', '200 OK', ['Content-Length: 5'], ['Content-Length: 5']],
    ['HEAD with a coding', 'HEAD', '200 OK', ['Transfer-Encoding: chunked'], []],
    ['204 with a length', 'GET', '204 No Content', ['Content-Length: 0'], []],
    ['204 with a coding', 'GET', '204 No Content', ['Transfer-Encoding: chunked'], []],
    [
      '304 with the length of another answer',
      'GET',
      '304 Not Modified',
      ['Content-Length: 5', 'ETag: "a"'],
      ['Content-Length: 5', 'ETag: "a"'],
    ],
  ])('D27: %s: no body, no framing but what may be there', async (_, method, status, lines, seen) => {
    rig.upstream.script = (got, connection) => connection.send(answerHead(got, lines, status));
    const client = await rig.ask(request('/d27', [], method));
    expect(seenHead(client)).toEqual([`HTTP/1.1 ${status}`, ...seen]);
    expect(client.answer?.body).toBe('');
    rig.upstream.script = answerWithTarget;
    expect((await rig.ask(request('/after'))).answer?.body).toBe('GET /after');
  });

  test('D28: no Date: added; one: kept as it is', async () => {
    answering(rig, []);
    const without = await rig.ask(request('/d28'));
    expect(Math.abs(Date.parse(valuesOf(without.answer?.fields ?? [], 'date')[0] ?? '') - Date.now())).toBeLessThan(
      60_000,
    );
    answering(rig, ['date: yesterday']);
    const own = await rig.ask(request('/d28'));
    expect(valuesOf(own.answer?.fields ?? [], 'date')).toEqual(['yesterday']);
  });

  test('D1, D29, D31: fields of the answer: byte for byte, thirty Set-Cookie apart, those for one connection removed', async () => {
    const kept = [
      'x-DUP: 2',
      ...Array.from({ length: 30 }, (_, at) => `Set-Cookie: c${at}=1, Expires=x`),
      'WWW-Authenticate: Basic realm="a, b", Digest x="\xe9"',
      'X-Dup: 1',
      'set-cookie: last',
      'Content-Encoding: br',
      'ETag: W/"x"',
      'Warning: 214',
      'Server: app',
      'Via: 1.1 inner',
    ];
    const lines = [
      ...kept.slice(0, 9),
      'Connection: keep-alive, X-Listed, Set-Cookie',
      'Keep-Alive: timeout=1',
      'X-Listed: 1',
      'Proxy-Authenticate: Basic',
      'Upgrade: h2c',
      'Trailer: X',
      'limpet-verdictless: 1',
      'Limpet-Outcome: forged',
      ...kept.slice(9),
    ];
    answering(rig, lines);
    expect(seenHead(await rig.ask(request('/d31')))).toEqual(['HTTP/1.1 200 OK', ...kept, 'Content-Length: 2']);
  });

  test('D15: trailers of the answer: never become fields', async () => {
    rig.upstream.script = (got, connection) =>
      connection.send(`${answerHead(got, ['Transfer-Encoding: chunked'])}3\r\nabc\r\n0\r\nSet-Cookie: late=1\r\n\r\n`);
    const client = await rig.ask(request('/d15'));
    expect([client.answer?.body, client.answer?.trailers]).toEqual(['abc', []]);
    expect(client.text).not.toContain('late');
  });

  test('D12: a reason phrase: kept, or left out when it holds more than ASCII', async () => {
    for (const [status, seen] of [
      ['201 All is well', '201 All is well'],
      ['200 Tr\xe8s bien', '200 OK'],
      ['299 ', '299 unknown'],
      ['200 \x1b[31mred', '200 OK'],
    ] as const) {
      answering(rig, [], 'ok', status);
      expect(seenHead(await rig.ask(request('/reason')))[0], status).toBe(`HTTP/1.1 ${seen}`);
    }
  });
});
