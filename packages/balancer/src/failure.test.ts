import { connect } from 'node:net';
import { type Death, type NodeId, nodeIdAt, servedMin } from '@limpet/core';
import { afterEach, describe, expect, test } from 'vitest';
import { get, type Handler, raw, startNamed, TestCluster, until } from '../testing/harness.ts';

const n1 = nodeIdAt(1);
const n2 = nodeIdAt(2);
let cluster: TestCluster;
afterEach(() => cluster.close());

const killed = (node: NodeId): Death => ({ node, incarnation: 1, cause: 'killed', how: 'SIGKILL', running: null });
const own = (node: NodeId, running: Death['running'] = null): Death => ({
  node,
  incarnation: 1,
  cause: 'self',
  how: 'exit 1',
  running,
});

/** As the supervisor: at the first report of a broken connection, the next view is without the member. */
function publishOnReset(death: (node: NodeId) => Death): void {
  const done = new Set<NodeId>();
  cluster.onTold = (message) => {
    if (message.kind !== 'reset' || done.has(message.node)) return;
    done.add(message.node);
    cluster.publishWithout([message.node], [death(message.node)]);
  };
}

/** Dies at the first request it gets; every other worker answers with its name. */
function dieAt(node: NodeId, ...how: ((...parts: Parameters<Handler>) => void)[]): (name: NodeId) => Handler {
  return (name) => (request, response) => {
    request.resume();
    if (name !== node) {
      response.end(name);
      return;
    }
    for (const step of how) step(request, response);
    cluster.worker(node).die();
  };
}

async function startWith(handlerOf: (name: NodeId) => Handler, nodes = 2, deadlineMs = 10_000): Promise<number> {
  cluster = new TestCluster({ nodes, welcome: { deadlineMs } });
  return startNamed(cluster, handlerOf);
}

describe('death of a worker', () => {
  test('idempotent request in flight: killed worker: answered by the new primary as attempt 2', async () => {
    const port = await startWith(dieAt(n1));
    publishOnReset(killed);
    const id = cluster.sessionAt(n1);
    const answer = await raw(port, get('/', [`Cookie: JSESSIONID=${id}`]));
    expect(answer.body).toBe(n2);
    const headers = cluster.worker(n2).received[0]?.headers;
    expect(headers?.['limpet-attempt']).toBe('2');
    expect(headers?.['limpet-prior']).toBe('nothing');
    expect(headers?.['limpet-request']).toBe(cluster.worker(n1).received[0]?.headers['limpet-request']);
  });

  test('POST with a session: killed worker: sent to the new primary, which asks its log', async () => {
    const port = await startWith((name) => (request, response) => {
      request.resume();
      if (name === n1) cluster.worker(n1).die();
      else {
        response.setHeader('limpet-verdict', 'unknown');
        response.statusCode = 502;
        response.end();
      }
    });
    publishOnReset(killed);
    const lines = [`Cookie: JSESSIONID=${cluster.sessionAt(n1)}`, 'Content-Length: 3', 'Accept: text/html'];
    const answer = await raw(port, `${get('/', lines, 'POST')}abc`);
    expect(answer.status).toBe(502);
    expect(answer.head).toMatch(/limpet-outcome: unknown/i);
    expect(answer.head).not.toMatch(/retry-after|limpet-verdict/i);
    expect(answer.body).toContain('look before you repeat');
    expect(cluster.worker(n2).received[0]?.headers['limpet-attempt']).toBe('2');
  });

  test('POST without a session: killed worker: 502 unknown, never run twice', async () => {
    const port = await startWith(() => (request) => {
      request.resume();
      for (const worker of cluster.workers.values()) if (worker.received.length > 0) worker.die();
    });
    publishOnReset(killed);
    const answer = await raw(port, `${get('/', ['Content-Length: 3'], 'POST')}abc`);
    expect(answer.status).toBe(502);
    expect(answer.head).toMatch(/limpet-outcome: unknown/i);
    expect(answer.head).not.toMatch(/retry-after/i);
    expect(JSON.parse(answer.body)).toMatchObject({ status: 502, code: 'LIMPET_UNKNOWN', outcome: 'unknown' });
    expect(cluster.worker(n1).received.length + cluster.worker(n2).received.length).toBe(1);
  });

  test('small answer of known length: cut in its middle: retried, the client sees one whole answer', async () => {
    const port = await startWith(
      dieAt(n1, (_, response) => {
        response.setHeader('Content-Length', '1000');
        response.write('half of it');
      }),
    );
    // The bytes must have left before the worker ends.
    publishOnReset(killed);
    const answer = await raw(port, get('/', [`Cookie: JSESSIONID=${cluster.sessionAt(n1)}`]));
    expect(answer.status).toBe(200);
    expect(answer.body).toBe(n2);
  });

  test('large answer: cut in its middle: visibly incomplete for the client', async () => {
    const port = await startWith(dieAt(n2), 1);
    cluster.worker(n1).server.removeAllListeners('request');
    cluster.worker(n1).server.on('request', (request, response) => {
      response.setHeader('limpet-request', request.headers['limpet-request'] ?? '');
      response.setHeader('Content-Length', '1000000');
      response.write(Buffer.alloc(100_000), () => cluster.worker(n1).die());
    });
    const answer = await raw(port, get('/')).catch((error: NodeJS.ErrnoException) => error);
    if (answer instanceof Error) expect(answer).toMatchObject({ code: 'ECONNRESET' });
    else expect(answer.body.length).toBeLessThan(1_000_000);
  });

  test('broken connection, worker alive: GET once more, POST unknown', async () => {
    let times = 0;
    const port = await startWith(() => (request, response) => {
      times += 1;
      if (times === 1 || request.method === 'POST') request.socket.destroy();
      else response.end('second');
    });
    expect((await raw(port, get('/'))).body).toBe('second');
    expect((await raw(port, get('/', [], 'POST'))).status).toBe(502);
    expect(times).toBe(3);
  });

  test('worker gone before anything was sent: POST goes to the next one', async () => {
    const port = await startWith((name) => (_, response) => response.end(name));
    const id = cluster.sessionAt(n1);
    cluster.worker(n1).die();
    publishOnReset(killed);
    const answer = await raw(port, get('/', [`Cookie: JSESSIONID=${id}`], 'POST'));
    expect(answer.body).toBe(n2);
    expect(cluster.worker(n2).received[0]?.headers['limpet-attempt']).toBe('1');
  });
});

describe('refused answers and placement', () => {
  test('whole answer of an older view from a member that is gone: relayed, it was safe when it left', async () => {
    const port = await startWith((name) => (_, response) => {
      if (name === n2) return void response.end(name);
      // What a killed worker had written is read although the view without it may come first.
      cluster.publishWithout([n1]);
      response.end('whole');
    });
    const cookie = `Cookie: JSESSIONID=${cluster.sessionAt(n1)}`;
    expect((await raw(port, get('/', [cookie]))).body).toBe('whole');
    expect(cluster.worker(n2).received).toEqual([]);
  });

  test('421: sent again after the newer view, never let out', async () => {
    const port = await startWith((name) => (_, response) => {
      if (name === n2) return void response.end(name);
      response.setHeader('limpet-view', '1.2');
      response.statusCode = 421;
      response.setHeader('limpet-verdict', 'not-executed');
      response.end();
      cluster.publishWithout([n1]);
    });
    const answer = await raw(
      port,
      `${get('/', [`Cookie: JSESSIONID=${cluster.sessionAt(n1)}`, 'Content-Length: 3'], 'POST')}abc`,
    );
    expect(answer.body).toBe(n2);
    expect(cluster.worker(n2).received[0]?.headers).toMatchObject({ 'limpet-view': '1.2', 'limpet-attempt': '1' });
  });

  test('421 of the app itself: an answer like any other, the request is not run again', async () => {
    const port = await startWith(() => (_, response) => {
      response.statusCode = 421;
      response.end('mine');
    });
    const cookie = `Cookie: JSESSIONID=${cluster.sessionAt(n1)}`;
    const answer = await raw(port, `${get('/', [cookie, 'Content-Length: 3'], 'POST')}abc`);
    expect([answer.status, answer.body, cluster.worker(n1).received.length]).toEqual([421, 'mine', 1]);
  });

  test('421 for ever: after three re-routes 503 with Retry-After', async () => {
    const port = await startWith(() => (_, response) => {
      response.statusCode = 421;
      response.setHeader('limpet-verdict', 'not-executed');
      response.end();
    });
    const answer = await raw(port, get('/'));
    expect(answer.status).toBe(503);
    expect(answer.head).toMatch(/limpet-outcome: not-executed/i);
    expect(answer.head).toMatch(/retry-after: 1/i);
    expect(cluster.worker(n1).received.length + cluster.worker(n2).received.length).toBe(4);
  });

  test('verdict of the worker: its status and outcome, rendered here', async () => {
    const rows = [
      ['not-executed', 503, 503],
      ['unknown', 502, 502],
      ['unknown', 504, 504],
      ['executed', 502, 502],
      ['gone', 409, 409],
    ] as const;
    let row: (typeof rows)[number] = rows[0];
    const port = await startWith(() => (_, response) => {
      response.setHeader('limpet-verdict', row[0]);
      response.statusCode = row[1];
      response.end();
    });
    for (row of rows) {
      const answer = await raw(port, get('/', ['Accept: text/html']));
      expect(answer.status).toBe(row[2]);
      expect(answer.head).toMatch(new RegExp(`limpet-outcome: ${row[0]}`, 'i'));
      expect(/retry-after/i.test(answer.head)).toBe(row[0] === 'not-executed');
      expect(answer.head).not.toMatch(/limpet-(verdict|request|view)/i);
    }
  });

  test('verdict whose connection breaks behind the head: what it says, not that something ran', async () => {
    const port = await startWith(() => (request, response) => {
      response.writeHead(503, { 'limpet-verdict': 'not-executed', 'content-length': '10' });
      response.flushHeaders();
      request.socket.end();
    });
    const answer = await raw(port, get('/'));
    expect(answer.status).toBe(503);
    expect(answer.head).toMatch(/limpet-outcome: not-executed/i);
  });

  test('answer that echoes another request: 502, nothing of it let out', async () => {
    const port = await startWith(() => (_, response) => {
      response.setHeader('limpet-request', '0'.repeat(32));
      response.end('secret of another');
    });
    const answer = await raw(port, get('/'));
    expect(answer.status).toBe(502);
    expect(answer.text).not.toContain('secret');
  });

  test('no node ready: 503 with Retry-After at the deadline', async () => {
    const port = await startWith(() => (_, response) => void response.end(), 1, 100);
    cluster.publishWithout([n1]);
    cluster.tell({ kind: 'probe', node: n1, sequence: 1 });
    await cluster.until('probed');
    const answer = await raw(port, get('/'));
    expect(answer.status).toBe(503);
    expect(answer.head).toMatch(/retry-after: 1/i);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'LIMPET_NO_NODE', outcome: 'not-executed' });
  });

  test('probe: for a node that died: served by the member that has its placements now', async () => {
    await startWith((name) => (request, response) => {
      response.statusCode = request.headers['limpet-probe'] === '1' && name === n2 ? 204 : 500;
      response.end();
    });
    cluster.publishWithout([n1], [killed(n1)]);
    cluster.tell({ kind: 'probe', node: n1, sequence: 7 });
    await cluster.until('probed');
    expect(cluster.told.find((message) => message.kind === 'probed')).toEqual({
      kind: 'probed',
      sequence: 7,
      ok: true,
    });
  });
});

describe('clients that leave', () => {
  test('safe method: the worker is told; any other: it runs to its end', async () => {
    const closed: string[] = [];
    const port = await startWith(
      () => (request, response) => {
        request.resume();
        response.on('close', () => closed.push(`${request.method} ${response.writableFinished}`));
        if (request.method === 'POST') cluster.onTold = () => response.writableFinished || response.end('done');
      },
      1,
    );
    for (const method of ['GET', 'POST']) {
      const client = connect(port, '127.0.0.1');
      client.write(`${method} /slow HTTP/1.1\r\nHost: a\r\n\r\n`);
      await until(() => cluster.worker(n1).received.some((got) => got.method === method));
      client.destroy();
      // Statistics come twice a second: by the second one the balancer has long seen the client leave.
      await until(() => closed.some((line) => line.startsWith(method)));
    }
    expect(closed).toEqual(['GET false', 'POST true']);
  });
});

describe('no worker can be reached', () => {
  test('no session, every connection refused: waits, tries few times, 503 at the deadline', async () => {
    const port = await startWith(() => () => {}, 3, 600);
    for (const worker of cluster.workers.values()) worker.die();
    const answer = await raw(port, get('/', [], 'POST'));
    expect(answer.status).toBe(503);
    expect(cluster.told.filter((message) => message.kind === 'reset').length).toBeLessThan(12);
  });
});

describe('query of death', () => {
  test('alone at a worker that died of its own: 502, held back until the cluster is whole, then watched', async () => {
    const port = await startWith(dieAt(n1), 2);
    publishOnReset((node) => own(node));
    const id = cluster.sessionAt(n1);
    let isAnswered = false;
    const asked = raw(port, get('/crash', [`Cookie: JSESSIONID=${id}`])).finally(() => {
      isAnswered = true;
    });
    await until(() => cluster.view.number === 2);
    await raw(port, get('/other'));
    expect(isAnswered).toBe(false);
    // Watched: the next of its kind waits too.
    const next = raw(port, get('/crash?again'));
    await raw(port, get('/other'));
    expect(cluster.worker(n2).received.every((got) => got.url === '/other')).toBe(true);
    cluster.settle();
    expect((await asked).status).toBe(502);
    expect((await next).body).toBe(n2);
    expect(cluster.worker(n2).received.filter((got) => got.url.startsWith('/crash?'))).toHaveLength(1);
  });

  test('a timer of the app ended the worker under the only request there: its route is free once it has been served again', async () => {
    const port = await startWith(dieAt(n1), 2);
    publishOnReset((node) => own(node));
    const asked = raw(port, get('/', [`Cookie: JSESSIONID=${cluster.sessionAt(n1)}`]));
    await until(() => cluster.view.number === 2);
    cluster.settle();
    expect((await asked).status).toBe(502);
    for (let served = 0; served < servedMin; served += 1) expect((await raw(port, get('/'))).body).toBe(n2);
    // Not whole any more: whoever is watched would wait for it.
    cluster.publish(cluster.view);
    expect((await raw(port, get('/'))).body).toBe(n2);
  });

  test('one of several: one more attempt when the cluster is whole, and no third after a second death', async () => {
    let isReleased = false;
    const port = await startWith(
      (name) => (request, response) => {
        if (request.url === '/crash') cluster.worker(name).die();
        else if (request.url !== '/slow') response.end(name);
        else if (isReleased) response.end('bystander');
      },
      3,
    );
    publishOnReset((node) => own(node));
    const id = cluster.sessionAt(n1);
    const cookie = [`Cookie: JSESSIONID=${id}`];
    const bystander = raw(port, `${get('/slow', [...cookie, 'Content-Length: 0'], 'GET')}`);
    await until(() => cluster.worker(n1).received.length === 1);
    const asked = raw(port, get('/crash', cookie));
    await until(() => cluster.view.number === 2);
    const crashes = () =>
      [...cluster.workers.values()].flatMap((worker) => worker.received.filter((got) => got.url === '/crash'));
    await raw(port, get('/other', [`Cookie: JSESSIONID=${cluster.sessionAt(n2)}`]));
    expect(crashes()).toHaveLength(1);
    isReleased = true;
    cluster.settle();
    await until(() => cluster.view.number === 3);
    cluster.settle();
    expect((await asked).status).toBe(502);
    expect((await bystander).body).toBe('bystander');
    expect(crashes()).toHaveLength(2);
    const refused = await raw(port, get('/crash', cookie));
    expect(refused.status).toBe(503);
    expect(refused.head).toMatch(/retry-after: (60|59)/i);
  });
});
