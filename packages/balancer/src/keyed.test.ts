import { nodeIdAt } from '@limpet/core';
import { afterEach, describe, expect, test } from 'vitest';
import { get, raw, TestCluster, until } from '../testing/harness.ts';

const n1 = nodeIdAt(1);
const n2 = nodeIdAt(2);
let cluster: TestCluster;
afterEach(() => cluster.close());

const post = (path: string, body: string, lines: readonly string[] = []): string =>
  `${get(path, [...lines, `Content-Length: ${Buffer.byteLength(body)}`], 'POST')}${body}`;

/** What the worker was told of the key: name and print. */
async function told(port: number, request: string): Promise<readonly string[]> {
  const before = cluster.worker(n1).received.length;
  expect((await raw(port, request)).status).toBe(200);
  return String(cluster.worker(n1).received[before]?.headers['limpet-key'] ?? '').split('.');
}

describe('a request with an Idempotency-Key', () => {
  test('key: quoted or bare: the same name; the header itself reaches the app as it was sent', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    const [bare, quoted, other] = [
      await told(port, post('/a', 'x', ['Idempotency-Key: k-1'])),
      await told(port, post('/a', 'x', ['Idempotency-Key: "k-1"'])),
      await told(port, post('/a', 'x', ['Idempotency-Key: k-2'])),
    ];
    expect(quoted).toEqual(bare);
    expect(other[0]).not.toBe(bare[0]);
    expect(other[1]).toBe(bare[1]);
    expect(cluster.worker(n1).received[1]?.headers['idempotency-key']).toBe('"k-1"');
  });

  test('key: another method, target or body: another print; other headers: the same', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    const key = 'Idempotency-Key: k';
    const prints = new Set<string | undefined>();
    for (const request of [
      post('/a', 'x', [key]),
      post('/a?q', 'x', [key]),
      post('/a', 'y', [key]),
      post('/a', '', [key]),
      get('/a', [key], 'DELETE'),
      post('/a', 'z'.repeat(70_000), [key]),
      post('/a', 'z'.repeat(70_001), [key]),
      post('/a', `y${'z'.repeat(69_999)}`, [key]),
    ])
      prints.add((await told(port, request))[1]);
    expect(prints.size).toBe(8);
    expect(prints).toContain((await told(port, post('/a', 'x', [key, 'X-Other: 1'])))[1]);
    const chunked = `${get('/a', [key, 'Transfer-Encoding: chunked'], 'POST')}1\r\nx\r\n0\r\n\r\n`;
    expect((await told(port, chunked))[1]).toBe((await told(port, post('/a', 'x', [key])))[1]);
  });

  test.each([
    ['sent twice', ['Idempotency-Key: a', 'Idempotency-Key: a']],
    ['empty', ['Idempotency-Key: ']],
    ['no string and no word', ['Idempotency-Key: a b']],
    ['too long', [`Idempotency-Key: ${'k'.repeat(256)}`]],
  ])('key: %s: 400, nothing reaches a worker', async (_, lines) => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    const answer = await raw(port, post('/a', 'x', lines));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, 'LIMPET_KEY_MALFORMED']);
    expect(cluster.worker(n1).received).toEqual([]);
  });

  test('key: on a method that changes nothing, or forged as an internal line: says nothing', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start();
    expect(await told(port, get('/a', ['Idempotency-Key: a b']))).toEqual(['']);
    expect(await told(port, post('/a', 'x', [`Limpet-Key: ${'a'.repeat(22)}.${'a'.repeat(22)}`]))).toEqual(['']);
  });

  test.each([
    ['running', 409, 'LIMPET_KEY_RUNNING', 'running', '1'],
    ['reused', 422, 'LIMPET_KEY_REUSED', 'not-executed', undefined],
  ])('key: %s at the worker: %i and a page, by Accept', async (verdict, status, code, outcome, after) => {
    cluster = new TestCluster({ nodes: 1 });
    const port = await cluster.start((request, response) => {
      request.resume();
      response.setHeader('limpet-verdict', verdict);
      response.statusCode = status;
      response.end();
    });
    const answer = await raw(port, post('/a', 'x', ['Idempotency-Key: k']));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code]);
    expect(/limpet-outcome: (.*)/i.exec(answer.head)?.[1]?.trim()).toBe(outcome);
    expect(/retry-after: (.*)/i.exec(answer.head)?.[1]?.trim()).toBe(after);
    const page = await raw(port, post('/a', 'x', ['Idempotency-Key: k', 'Accept: text/html']));
    expect([page.status, page.body.startsWith('<!doctype html>')]).toEqual([status, true]);
  });
});

describe('death of a worker under a request that was declared', () => {
  /** n1 dies at the first request; the next view is without it at the first report. */
  async function startDying(replayable: readonly string[] = []): Promise<number> {
    cluster = new TestCluster({ nodes: 2, welcome: { replayable } });
    const port = await cluster.start((request, response) => {
      request.resume();
      const isFirst = cluster.worker(n1).sockets.has(request.socket);
      if (isFirst) cluster.worker(n1).die();
      else response.end('n2');
    });
    let isTold = false;
    cluster.onTold = (message) => {
      if (message.kind !== 'reset' || isTold) return;
      isTold = true;
      const death = { node: n1, incarnation: 1, cause: 'killed', how: 'SIGKILL', running: null } as const;
      cluster.publishWithout([n1], [death]);
    };
    return port;
  }

  /** Sends without a session until one came to n1. */
  async function untilDeath(port: number, request: string): Promise<readonly string[]> {
    const answers: string[] = [];
    while (cluster.worker(n1).received.length === 0) {
      const { status, body } = await raw(port, request);
      answers.push(status === 200 ? body : String(status));
    }
    await until(() => cluster.view.number === 2);
    return answers;
  }

  test.each([
    ['with a key', [], ['Idempotency-Key: k'], 'n2'],
    ['of a declared route', ['POST /cart/*'], [], 'n2'],
    ['of another route', ['POST /cart', 'PATCH /cart/*'], [], '502'],
  ])('POST %s, without a session: its worker dies', async (_, replayable, lines, last) => {
    const port = await startDying(replayable);
    const answers = await untilDeath(port, post('/cart/7', 'x', lines));
    expect(answers.at(-1)).toBe(last);
    const again = cluster.worker(n2).received.filter(({ headers }) => headers['limpet-attempt'] === '2');
    expect(again.map(({ headers }) => headers['limpet-prior'])).toEqual(last === 'n2' ? ['nothing'] : []);
  });
});
