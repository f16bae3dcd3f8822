import { createHash } from 'node:crypto';
import { nodeIdAt } from '@limpet/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { received, request } from './duties.ts';
import { answerTo, answerWithTarget, idOf } from './recording-upstream.ts';
import { Rig, until } from './rig.ts';
import { type ReadRequest, valuesOf } from './strict-reader.ts';

/**
 * What an intermediary owes both sides over a whole exchange, and several on a connection (RFC 9110, 9112, 6455). Every
 * test compares the bytes that the client or the upstream received; the numbers are those of docs/http.md.
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

describe('exchanges', () => {
  const withBody = (got: ReadRequest) => (got.body.length > 0 ? `${got.body.length}` : 'none');

  test('D17: Expect, short body: 100, then the body goes with the request and without Expect', async () => {
    rig.upstream.script = (got, connection) => connection.send(answerTo(got, withBody(got)));
    const client = rig.client();
    client.send(request('/d17', ['Content-Length: 3', 'expect: 100-Continue'], 'POST'));
    await until(() => client.text !== '');
    expect(client.text).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('abc');
    expect((await client.finals(1))[0]?.body).toBe('3');
    expect(rig.upstream.bytes).not.toMatch(/expect/i);
  });

  test('D17: Expect, no worker to take it: 503 at the deadline, and the body was never asked for', async () => {
    const lonely = await Rig.start({ welcome: { deadlineMs: 100 } });
    lonely.cluster.publishWithout([nodeIdAt(1)]);
    lonely.cluster.tell({ kind: 'probe', node: nodeIdAt(1), sequence: 1 });
    await lonely.cluster.until('probed');
    const client = await lonely.ask(request('/d17', ['Content-Length: 3', 'Expect: 100-continue'], 'POST'));
    expect(client.text).toMatch(/^HTTP\/1\.1 503 /);
    await lonely.close();
  });

  test('D17: Expect in HTTP/1.0: ignored; anything else expected: 417', async () => {
    const old = await rig.ask(request('/d17', ['Content-Length: 1', 'Expect: 100-continue'], 'POST', 'x', '1.0'));
    expect(old.text).toMatch(/^HTTP\/1\.1 200 /);
    for (const expectation of ['200-ok', '100-continue, x', 'x;100-continue', '']) {
      const before = rig.upstream.bytes;
      const { answer } = await rig.ask(request('/d17', ['Content-Length: 1', `Expect: ${expectation}`], 'POST', 'x'));
      expect([answer?.status, rig.upstream.bytes === before], expectation).toEqual([417, true]);
    }
  });

  test('D21: POST whose connection breaks: sent once; GET: twice, no more', async () => {
    rig.upstream.script = (_, connection) => connection.socket.destroy();
    for (const [method, times] of [
      ['POST', 1],
      ['GET', 2],
    ] as const) {
      const before = rig.upstream.requests.length;
      const { answer } = await rig.ask(request('/d21', [], method));
      expect([answer?.status, rig.upstream.requests.length - before], method).toEqual([502, times]);
    }
  });

  test('D24: an early answer to 10 MB: the client reads it, the upstream connection is not used again', async () => {
    let refusing = '';
    rig.upstream.onBytes = (connection) => {
      if (refusing !== '') return;
      refusing = /^POST \/d24[\s\S]*limpet-request: ([0-9a-f]{32})/.exec(connection.rest)?.[1] ?? '';
      connection.send(`HTTP/1.1 413 x\r\nlimpet-request: ${refusing}\r\nContent-Length: 4\r\n\r\nmuch`);
    };
    const size = 10_000_000;
    const client = rig.client();
    client.send(request('/d24', [`Content-Length: ${size}`], 'POST', 'x'.repeat(size)));
    await client.closed();
    expect(client.answers.finals.map(({ status, body }) => [status, body])).toEqual([[413, 'much']]);
    const spent = rig.upstream.connections.find(({ bytes }) => bytes.includes(refusing));
    await until(() => spent?.isClosed === true);
    expect((await rig.ask(request('/after'))).answer?.body).toBe('GET /after');
  });

  test("D25: close of the worker: not the client's; close of the client: not the worker's", async () => {
    rig.upstream.script = (got, connection) => {
      connection.send(answerTo(got, 'ok', ['Connection: close']));
      connection.socket.end();
    };
    const client = rig.client();
    client.send(request('/d25'));
    await client.finals(1);
    client.send(request('/d25'));
    expect((await client.finals(2)).map(({ status }) => status)).toEqual([200, 200]);
    expect(client.text).not.toMatch(/connection: close/i);
    rig.upstream.script = answerWithTarget;
    await rig.ask(request('/d25'));
    const connections = rig.upstream.connections.length;
    for (const lines of [
      ['Connection: close'],
      ['Connection: keep-alive, close'],
      ['Connection: Close', 'Connection: x'],
      ['Connection: close\t'],
    ]) {
      const last = await rig.ask(request('/d25', lines) + request('/ignored'));
      await last.closed();
      expect(
        last.answers.finals.map(({ body }) => body),
        lines.join(),
      ).toEqual(['GET /d25']);
    }
    expect(rig.upstream.connections.length).toBe(connections);
  });

  test('D25: HTTP/1.0, whatever it asks for: closed after the answer', async () => {
    const client = await rig.ask(
      request('/d25', ['Connection: keep-alive'], 'GET', '', '1.0') + request('/ignored', [], 'GET', '', '1.0'),
    );
    await client.closed();
    expect(client.answers.finals.map(({ body }) => body)).toEqual(['GET /d25']);
    expect(client.text).not.toMatch(/connection: keep-alive/i);
  });

  test('D25: close in a trailer: what comes behind it does not run, and does not wait for ever either', async () => {
    const chunks = '0\r\nConnection: close\r\n\r\n';
    const first = request('/first', ['Transfer-Encoding: chunked'], 'POST', chunks);
    const client = await rig.ask(first + request('/behind'));
    await client.closed();
    expect(client.answers.finals.map(({ body }) => body)).toEqual(['POST /first']);
    const later = await rig.ask(first);
    later.send(request('/behind'));
    await later.closed();
    expect(later.answers.finals.map(({ body }) => body)).toEqual(['POST /first']);
  });

  test('D26: pipelined: one after the other, answered in order', async () => {
    const held: (() => void)[] = [];
    rig.upstream.script = (got, connection) => held.push(() => answerWithTarget(got, connection));
    const client = rig.client();
    client.send(['/1', '/2', '/3'].map((target) => request(target)).join(''));
    for (let at = 0; at < 3; at++) {
      await until(() => held.length > at);
      await rig.ask('GET * HTTP/1.1\r\nHost: a\r\n\r\n');
      expect(held).toHaveLength(at + 1);
      held[at]?.();
    }
    expect((await client.finals(3)).map(({ body }) => body)).toEqual(['GET /1', 'GET /2', 'GET /3']);
  });

  test('D26: garbage, a websocket or a CONNECT behind a running request: its answer first, then theirs', async () => {
    for (const [behind, status] of [
      ['\x16\x03\x01garbage', 400],
      ['CONNECT b:443 HTTP/1.1\r\nHost: b\r\n\r\n', 405],
      [request('/ws', ['Connection: Upgrade', 'Upgrade: foo']), 400],
    ] as const) {
      let answer = (): void => {};
      rig.upstream.script = (got, connection) => {
        answer = () => answerWithTarget(got, connection);
      };
      const client = rig.client();
      const before = rig.upstream.requests.length;
      client.send(request('/first') + behind);
      await until(() => rig.upstream.requests.length > before);
      await rig.ask('GET * HTTP/1.1\r\nHost: a\r\n\r\n');
      expect(client.text).toBe('');
      answer();
      await client.closed();
      const { finals } = client.answers;
      expect(
        finals.map((final) => final.status),
        behind,
      ).toEqual([200, status]);
      expect(finals[0]?.body).toBe('GET /first');
    }
  });

  test('D26: a hundred requests behind a running one: all are served; one more: the connection is closed', async () => {
    for (const [count, served] of [
      [100, 101],
      [101, 1],
    ] as const) {
      let answer = (): void => {};
      rig.upstream.script = (got, connection) => {
        if (got.target === '/first') answer = () => answerWithTarget(got, connection);
        else answerWithTarget(got, connection);
      };
      const before = rig.upstream.requests.length;
      const client = rig.client();
      client.send(request('/first'));
      await until(() => rig.upstream.requests.length > before);
      client.send(request('/next').repeat(count));
      await rig.ask('GET * HTTP/1.1\r\nHost: a\r\n\r\n');
      answer();
      await until(() => client.isClosed || client.answers.finals.length > count);
      expect(rig.upstream.requests.length - before, String(count)).toBe(served);
      expect(client.isClosed).toBe(count === 101);
    }
  });

  test('D26: a websocket behind a large answer that is read slowly: all of the answer, then the refusal', async () => {
    const body = 'x'.repeat(5_000_000);
    rig.upstream.script = (got, connection) => connection.send(answerTo(got, body));
    const client = rig.client();
    client.socket.pause();
    client.send(request('/large') + request('/ws', ['Connection: Upgrade', 'Upgrade: foo']));
    // The balancer has read both, and the answer fills every buffer on its way.
    for (let round = 0; round < 20; round++) await rig.ask('GET * HTTP/1.1\r\nHost: a\r\n\r\n');
    client.socket.resume();
    await client.closed();
    expect(client.answers.finals.map((final) => [final.status, final.body.length > 1_000])).toEqual([
      [200, true],
      [400, false],
    ]);
    expect(client.answers.finals[0]?.body.length).toBe(body.length);
  });

  test.each([
    ['a refused request', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
    ['a refused coding', request('/', ['Transfer-Encoding: ,chunked'], 'POST', '0\r\n\r\n'), 400],
    ['TRACE', request('/', [], 'TRACE'), 405],
    ['HTTP/1.0', request('/', ['Connection: keep-alive'], 'GET', '', '1.0'), 200],
  ])('D26: requests behind %s: none of them runs', async (_, first, status) => {
    const before = rig.upstream.requests.length;
    const client = rig.client();
    client.send(first + request('/smuggled').repeat(3));
    await client.closed();
    expect(client.answers.finals.map((final) => final.status)).toEqual([status]);
    expect(rig.upstream.requests.slice(before).map(({ target }) => target)).toEqual(status === 200 ? ['/'] : []);
  });

  test('D26: bytes behind an answer: the connection is not used again', async () => {
    const extra = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL';
    rig.upstream.script = (got, connection) => connection.send(answerTo(got, 'ok') + extra);
    const client = await rig.ask(request('/d26?extra'));
    expect(client.answer?.body).toBe('ok');
    rig.upstream.script = answerWithTarget;
    expect((await rig.ask(request('/after'))).answer?.body).toBe('GET /after');
    const spent = rig.upstream.connections.find(({ bytes }) => bytes.includes('/d26?extra'));
    await until(() => spent?.isClosed === true);
    expect(spent?.bytes).not.toContain('/after');
  });
});

describe('upgrades', () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const handshake = (lines: readonly string[] = [], version = '13') =>
    request('/ws', [
      'Connection: Upgrade',
      'Upgrade: websocket',
      `Sec-WebSocket-Version: ${version}`,
      `Sec-WebSocket-Key: ${key}`,
      ...lines,
    ]);
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const switching = (got: ReadRequest, lines: readonly string[]) =>
    [`HTTP/1.1 101 Switching Protocols`, `limpet-request: ${idOf(got)}`, ...lines, '', ''].join('\r\n');

  test('D19: h2c: stripped, served as HTTP/1.1; what is listed beside it is removed, close stays', async () => {
    const lines = [
      'Connection: Upgrade, HTTP2-Settings, X-Listed, close',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABk',
      'X-Listed: 1',
    ];
    const seen = await received(rig, request('/h2c', lines) + request('/second'));
    expect(seen).not.toMatch(/upgrade|http2|x-listed|second/i);
    expect(seen).toMatch(/^GET \/h2c HTTP\/1\.1\r\n/);
  });

  test('D19: bytes behind a websocket request that is refused by the worker: nobody reads them as a request', async () => {
    rig.upstream.script = (got, connection) => connection.send(answerTo(got, 'no', [], '403 Forbidden'));
    const before = rig.upstream.requests.length;
    const client = await rig.ask(handshake() + request('/smuggled'));
    await client.closed();
    expect(client.answer?.status).toBe(403);
    expect(rig.upstream.requests.slice(before).map(({ target }) => target)).toEqual(['/ws']);
  });

  test('D20: the worker proves by its Accept that it speaks WebSocket: else 502 and no tunnel', async () => {
    for (const lines of [
      ['Connection: Upgrade', 'Upgrade: websocket'],
      ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Accept: AAAA'],
      ['Connection: Upgrade', 'Upgrade: foo', `Sec-WebSocket-Accept: ${accept}`],
    ]) {
      rig.upstream.script = (got, connection) => connection.send(switching(got, lines));
      expect((await rig.ask(handshake())).answer?.status, lines.join()).toBe(502);
    }
    rig.upstream.script = (got, connection) =>
      connection.send(
        `${switching(got, ['Connection: Upgrade', 'Upgrade: WebSocket', `Sec-WebSocket-Accept: ${accept}`])}first`,
      );
    const client = rig.client();
    client.send(handshake());
    await until(() => client.text.endsWith('\r\n\r\nfirst'));
    expect(client.text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
  });

  test('D20: another version: 426 that names the one that is spoken', async () => {
    const before = rig.upstream.bytes;
    const { answer } = await rig.ask(handshake([], '8'));
    expect([answer?.status, valuesOf(answer?.fields ?? [], 'sec-websocket-version')]).toEqual([426, ['13']]);
    expect(rig.upstream.bytes).toBe(before);
  });
});
